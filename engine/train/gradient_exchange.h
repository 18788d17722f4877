// Adds up over all ranks what they have found in their batches.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <vector>

#include "engine/exec/parameter_store.h"
#include "engine/parallel/communicator.h"
#include "engine/plan/plan.h"

namespace tpn {

/// The sums of gradients of a store, bucket by bucket, each as soon as it is complete; and the statistics
/// that batch norms keep, which become the mean of all ranks'.
class GradientExchange {
 public:
  /// gradients: a plan that adds gradients to sums; each step of it that does is a bucket. store: must
  /// outlive this.
  GradientExchange(std::shared_ptr<Communicator> communicator, ParameterStore& store, const Plan& gradients);

  /// The next bucket is complete.
  void start_next();
  /// All are.
  void start_rest();
  /// Waits for them, and puts the sums and means into the store.
  void finish();

 private:
  struct Bucket {
    std::vector<PersistentTensor> tensors;
    float factor = 1;
    std::shared_ptr<std::vector<float>> values = {};  ///< theirs, one after the other
    std::future<void> done = {};
  };

  void start(Bucket& bucket);

  std::shared_ptr<Communicator> communicator_;
  ParameterStore& store_;
  std::vector<Bucket> buckets_;  ///< the last is of statistics, if there are any
  std::size_t started_ = 0;
};

}  // namespace tpn
