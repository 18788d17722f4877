// Adds up over all ranks what they have found in their batches.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "engine/exec/parameter_store.h"
#include "engine/parallel/communicator.h"
#include "engine/plan/plan.h"
#include "kernels/stream.h"

namespace tpn {

/// The sums of gradients of a store, bucket by bucket, each as soon as it is complete; and the statistics
/// that batch norms keep, which become the mean of all ranks'. Devices with memory of their own do so by a
/// stream beside the one that computes: with each other, or by copies in the host's memory.
class GradientExchange {
 public:
  /// gradients: a plan that adds gradients to sums; each step of it that does is a bucket. store: must
  /// outlive this.
  /// collectives: null where the devices exchange by way of the host.
  GradientExchange(std::shared_ptr<Communicator> communicator, std::shared_ptr<Collectives> collectives,
                   ParameterStore& store, std::shared_ptr<const Plan> gradients);

  /// The next bucket is complete when what has been enqueued on the stream has run.
  void start_next(Stream& computing);
  /// All are; begins to exchange them, one after the other, as they arrive in the host's memory.
  void start_rest(Stream& computing);
  /// Waits for all, those included that were not started and have been complete before, and puts the sums and
  /// means into the store.
  void finish();

 private:
  struct Bucket {
    std::vector<PersistentTensor> tensors;
    bool is_mean = false;                       ///< of all ranks, else their sum
    std::shared_ptr<const Buffer> memory = {};  ///< their values, one after the other, in the host's memory
    std::unique_ptr<Mark> copied = {};          ///< when they are there
    std::future<void> done = {};

    [[nodiscard]] std::span<float> values() const {
      return {reinterpret_cast<float*>(memory->data()), memory->bytes() / sizeof(float)};
    }
  };

  /// Calls visit(place in the bucket's memory, place in the store, bytes) for each of its tensors.
  template <class Visit>
  void for_each(const Bucket& bucket, const Visit& visit) const;
  /// Enqueues copying the next bucket to the host, or exchanging it between devices.
  void enqueue_next();
  void begin_sums();
  /// Waits for the bucket's sum, and enqueues putting it into the store.
  void put_back(Bucket& bucket);

  std::shared_ptr<Communicator> communicator_;
  std::shared_ptr<Collectives> collectives_;
  ParameterStore& store_;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<Stream> stream_;
  std::vector<Bucket> buckets_;  ///< the last is of statistics, if there are any
  std::size_t enqueued_ = 0;     ///< buckets
  std::size_t started_ = 0;      ///< of these, those whose sums by the host have begun
};

}  // namespace tpn
