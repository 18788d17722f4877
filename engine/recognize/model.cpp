#include <algorithm>
#include <utility>

#include "engine/recognize/device.h"
#include "engine/recognize/model_state.h"

namespace tpn {

ModelState::ModelState(const std::filesystem::path& path)
    : weights_(Weights::load(path)),
      labels_(std::make_shared<const std::vector<std::string>>(weights_->labels())) {}

std::shared_ptr<const Plan> ModelState::plan(const PlanKey& key) {
  // Plans share the packed weights, so that one more costs little; programs use few shapes at a time.
  constexpr std::size_t most_plans = 8;
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(plans_, key, &std::pair<PlanKey, std::shared_ptr<const Plan>>::first);
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
  } else {
    plans_.emplace_front(key, std::make_shared<const Plan>(build_network(config(), key.size),
                                                           backend(key.device), *weights_, key.options));
    if (plans_.size() > most_plans) plans_.pop_back();
  }
  return plans_.front().second;
}

std::shared_ptr<const Backend> ModelState::backend(const DeviceOptions& device) {
  const std::lock_guard lock(backends_mutex_);
  const auto found =
      std::ranges::find(backends_, device, &std::pair<DeviceOptions, std::shared_ptr<const Backend>>::first);
  if (found != backends_.end()) return found->second;
  return backends_.emplace_back(device, make_backend(device)).second;
}

Model::Model(std::shared_ptr<ModelState> state) : state_(std::move(state)) {}

Model Model::load(const std::filesystem::path& path) {
  return Model(std::make_shared<ModelState>(path));
}

const std::string& Model::name() const {
  return state_->config().name;
}

int Model::classes() const {
  return state_->config().head.num_classes;
}

const std::vector<std::string>& Model::labels() const {
  return *state_->labels();
}

std::string Model::config_json() const {
  return to_json(state_->config());
}

}  // namespace tpn
