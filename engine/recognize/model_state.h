// What all copies of a Model share: the weights, and the plans made from them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/weights.h"
#include "engine/networks/network.h"
#include "engine/plan/plan.h"
#include "engine/recognize/device.h"
#include "engine/recognize/tpn.h"

namespace tpn {

/// What a plan depends on besides the model.
struct PlanKey {
  DeviceOptions device;
  InputSize size;
  PlanOptions options;

  bool operator==(const PlanKey&) const = default;
};

/// Thread-safe.
class ModelState {
 public:
  explicit ModelState(const std::filesystem::path& path);

  [[nodiscard]] const Config& config() const { return weights_->config(); }
  /// Stays valid without the model.
  [[nodiscard]] std::shared_ptr<const std::vector<std::string>> labels() const { return labels_; }

  /// A plan made before, or a new one. Throws Error as make_backend(), build_network() and Plan do.
  std::shared_ptr<const Plan> plan(const PlanKey& key);
  /// The same for all plans of a device.
  std::shared_ptr<const Backend> backend(const DeviceOptions& device);

 private:
  std::shared_ptr<const Weights> weights_;
  std::shared_ptr<const std::vector<std::string>> labels_;
  std::mutex mutex_;  // held while a plan is made: a second thread that wants it had better wait for it
  std::list<std::pair<PlanKey, std::shared_ptr<const Plan>>> plans_;  // last used first
  std::mutex backends_mutex_;
  std::vector<std::pair<DeviceOptions, std::shared_ptr<const Backend>>> backends_;
};

}  // namespace tpn
