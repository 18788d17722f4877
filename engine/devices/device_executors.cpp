#include "engine/devices/device_executors.h"

#include <algorithm>
#include <limits>

namespace tpn {

DeviceExecutors::DeviceExecutors(std::shared_ptr<PlanCache> plans, const DeviceOptions& device)
    : plans_(std::move(plans)),
      device_(device),
      backend_(plans_->backend(device)),
      view_maker_(backend_->make_view_maker()),
      most_views_(std::numeric_limits<std::int64_t>::max()) {}

Executor& DeviceExecutors::executor(const InputSize& size, const PlanOptions& options) {
  // An executor holds the memory of a run. Two are enough to go through a video: full batches and the last.
  constexpr std::size_t most_executors = 2;
  const PlanKey key{device_, size, options};
  const auto found =
      std::ranges::find(executors_, key, &std::pair<PlanKey, std::unique_ptr<Executor>>::first);
  if (found != executors_.end()) {
    std::rotate(found, found + 1, executors_.end());
  } else {
    std::shared_ptr<const Plan> plan = plans_->plan(key);
    if (executors_.size() == most_executors) executors_.erase(executors_.begin());
    executors_.emplace_back(key, std::make_unique<Executor>(std::move(plan)));
  }
  return *executors_.back().second;
}

Executor& DeviceExecutors::largest_fitting(InputSize size, const PlanOptions& options) {
  backend_->enter_thread();
  size.views = std::min(size.views, most_views_);
  for (;;) {
    try {
      return executor(size, options);
    } catch (const OutOfMemory&) {
      if (!executors_.empty()) {
        executors_.clear();  // of other sizes: perhaps their memory is enough
      } else if (size.views > 1) {
        size.views = most_views_ = (size.views + 1) / 2;
      } else {
        throw;
      }
    }
  }
}

std::optional<std::string> DeviceExecutors::shortage(std::int64_t views) {
  if (most_views_ >= views || most_views_ == told_views_) return std::nullopt;
  told_views_ = most_views_;
  return "The memory of the device '" + std::string(backend_->name()) + "' is not enough for " +
         std::to_string(views) + " views at a time; it goes on with " + std::to_string(most_views_) + ".";
}

}  // namespace tpn
