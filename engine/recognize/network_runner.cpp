#include "engine/recognize/network_runner.h"

#include <algorithm>
#include <limits>

namespace tpn {

NetworkRunner::NetworkRunner(std::shared_ptr<ModelState> model, const DeviceOptions& device, DType precision,
                             bool tf32)
    : model_(std::move(model)),
      device_(device),
      backend_(model_->backend(device)),
      view_maker_(backend_->make_view_maker()),
      precision_(precision),
      tf32_(tf32),
      most_views_(std::numeric_limits<std::int64_t>::max()) {}

Executor& NetworkRunner::executor(const InputSize& size, const std::vector<std::string>& features) {
  // An executor holds the memory of a run. Two are enough to go through a video: full batches and the last.
  constexpr std::size_t most_executors = 2;
  const PlanKey key{device_, size, {.precision = precision_, .tf32 = tf32_, .features = features}};
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

Executor& NetworkRunner::fitting_executor(InputSize& size, const std::vector<std::string>& features) {
  backend_->enter_thread();
  size.views = std::min(size.views, most_views_);
  for (;;) {
    try {
      return executor(size, features);
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

std::string NetworkRunner::run(const InputSize& size, const std::vector<std::string>& features,
                               const std::function<void(Executor& executor, int first, int count)>& run) {
  for (std::int64_t first = 0; first < size.views;) {
    InputSize batch = size;
    batch.views = size.views - first;
    Executor& network = fitting_executor(batch, features);
    run(network, static_cast<int>(first), static_cast<int>(batch.views));
    first += batch.views;
  }
  if (most_views_ >= size.views || most_views_ == told_views_) return {};
  told_views_ = most_views_;
  return "The memory of the device '" + std::string(backend_->name()) + "' is not enough for " +
         std::to_string(size.views) + " views at a time; it goes on with " + std::to_string(most_views_) +
         ".";
}

void NetworkRunner::prepare(const InputSize& size, const std::vector<std::string>& features) {
  InputSize batch = size;
  (void)fitting_executor(batch, features);
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
