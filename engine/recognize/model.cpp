#include <utility>

#include "engine/recognize/consensus.h"
#include "engine/recognize/model_state.h"

namespace tpn {

void ModelState::score(Recognition& recognition, const std::string& average) const {
  recognition.scores = average_views(recognition.logits, config().head.num_classes, average);
  recognition.labels = labels_;
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
