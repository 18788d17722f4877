#include "engine/devices/plan_cache.h"

#include <algorithm>

namespace tpn {

std::shared_ptr<const Plan> PlanCache::plan(const PlanKey& key) {
  // Plans share the packed weights, so that one more costs little; programs use few shapes at a time.
  constexpr std::size_t most_plans = 8;
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(plans_, key, &std::pair<PlanKey, std::shared_ptr<const Plan>>::first);
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
  } else {
    plans_.emplace_front(key, std::make_shared<const Plan>(build_network(weights_->config(), key.size),
                                                           backend(key.device), *weights_, key.options));
    if (plans_.size() > most_plans) plans_.pop_back();
  }
  return plans_.front().second;
}

std::shared_ptr<const Backend> PlanCache::backend(const DeviceOptions& device) {
  const std::lock_guard lock(backends_mutex_);
  const auto found =
      std::ranges::find(backends_, device, &std::pair<DeviceOptions, std::shared_ptr<const Backend>>::first);
  if (found != backends_.end()) return found->second;
  return backends_.emplace_back(device, make_backend(device)).second;
}

}  // namespace tpn
