// Plans of one model, made when they are first asked for.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/devices/device.h"
#include "engine/model/weights.h"
#include "engine/networks/network.h"
#include "engine/plan/plan.h"

namespace tpn {

/// What a plan depends on besides the model.
struct PlanKey {
  DeviceOptions device;
  InputSize size;
  PlanOptions options;

  bool operator==(const PlanKey&) const = default;
};

/// Thread-safe.
class PlanCache {
 public:
  explicit PlanCache(std::shared_ptr<const Weights> weights) : weights_(std::move(weights)) {}

  /// A plan made before, or a new one. Throws Error as make_backend(), build_network() and Plan do.
  std::shared_ptr<const Plan> plan(const PlanKey& key);
  /// The same for all plans of a device.
  std::shared_ptr<const Backend> backend(const DeviceOptions& device);

 private:
  std::shared_ptr<const Weights> weights_;
  std::mutex mutex_;  // held while a plan is made: a second thread that wants it had better wait for it
  std::list<std::pair<PlanKey, std::shared_ptr<const Plan>>> plans_;  // last used first
  std::mutex backends_mutex_;
  std::vector<std::pair<DeviceOptions, std::shared_ptr<const Backend>>> backends_;
};

}  // namespace tpn
