#include "engine/recognize/network_runner.h"

#include <algorithm>

namespace tpn {

NetworkRunner::NetworkRunner(std::shared_ptr<ModelState> model, Device device, int threads, DType precision)
    : model_(std::move(model)), device_(device), threads_(threads), precision_(precision) {}

Executor& NetworkRunner::executor(const InputSize& size, const std::vector<std::string>& features) {
  // An executor holds the memory of a run. Two are enough to go through a video: full batches and the last.
  constexpr std::size_t most_executors = 2;
  const PlanKey key{device_, threads_, size, {.precision = precision_, .features = features}};
  const auto found =
      std::ranges::find(executors_, key, &std::pair<PlanKey, std::unique_ptr<Executor>>::first);
  if (found != executors_.end()) {
    std::rotate(found, found + 1, executors_.end());
  } else {
    std::shared_ptr<const Plan> plan = model_->plan(key);
    if (executors_.size() == most_executors) executors_.erase(executors_.begin());
    executors_.emplace_back(key, std::make_unique<Executor>(std::move(plan)));
  }
  return *executors_.back().second;
}

std::vector<std::string> feature_names(const Config& config) {
  std::vector<std::string> names;
  const Graph graph = build_network(config, {1, config.view_frames(), 64, 64});
  for (const auto& [name, value] : graph.features()) {
    if (name != "logits") names.push_back(name);
  }
  return names;
}

}  // namespace tpn
