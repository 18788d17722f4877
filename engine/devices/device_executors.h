// Executors of one model on one device, kept from batch to batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/devices/plan_cache.h"
#include "engine/exec/executor.h"
#include "kernels/preprocess/view_maker.h"

namespace tpn {

/// Not thread-safe.
class DeviceExecutors {
 public:
  /// Throws Error when the device is not there.
  DeviceExecutors(std::shared_ptr<PlanCache> plans, const DeviceOptions& device);

  [[nodiscard]] const Backend& backend() const { return *backend_; }
  /// Makes views in the device's memory; null where the host does.
  [[nodiscard]] ViewMaker* view_maker() const { return view_maker_.get(); }

  /// An executor for as many of `size.views` views as the device's memory suffices for: all of them, or half,
  /// a quarter and so on, from then on. Valid until the next call, made by the thread that will run it.
  /// Throws OutOfMemory when there is no room for one view, and Error as PlanCache::plan().
  Executor& largest_fitting(InputSize size, const PlanOptions& options);

  /// A sentence, once for every limit, when memory does not suffice for so many views at a time.
  std::optional<std::string> shortage(std::int64_t views);

 private:
  Executor& executor(const InputSize& size, const PlanOptions& options);

  std::shared_ptr<PlanCache> plans_;
  DeviceOptions device_;
  std::shared_ptr<const Backend> backend_;
  std::unique_ptr<ViewMaker> view_maker_;
  std::int64_t most_views_;      ///< of a batch, as far as memory goes
  std::int64_t told_views_ = 0;  ///< the limit that the last warning was about
  std::vector<std::pair<PlanKey, std::unique_ptr<Executor>>> executors_;  // last used last
};

}  // namespace tpn
