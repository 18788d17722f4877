#include "engine/train/trainer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/convert.h"

namespace tpn {
namespace {

/// Copies values, in the order of the input, to it.
template <class T>
void fill(const TensorView& input, std::span<const T> values) {
  if (static_cast<std::int64_t>(values.size()) != input.shape.count()) {
    throw Error("A step of training takes " + std::to_string(input.shape.count()) +
                " values there; it was given " + std::to_string(values.size()) + ".");
  }
  std::memcpy(input.data, values.data(), values.size_bytes());
}

bool has_input(const Plan& plan, std::string_view name) {
  return std::ranges::any_of(plan.inputs(), [&](const auto& input) { return input.first == name; });
}

}  // namespace

Trainer::Trainer(const Config& config, const InputSize& size, const TrainingOptions& options,
                 const std::shared_ptr<const Backend>& backend, const PlanOptions& plan,
                 const Weights& weights)
    : config_(config), size_(size), options_(options), backend_(backend), plan_options_(plan) {
  const Graph graph = this->graph(size.views);
  auxiliary_ = std::ranges::count(graph.features(), "loss_aux", &std::pair<std::string, ValueId>::first) > 0;
  const auto compiled = std::make_shared<const Plan>(graph, backend, plan);
  store_ = std::make_shared<ParameterStore>(backend, compiled->persistent());
  store_->load(weights);
  executors_[size.views] = std::make_unique<Executor>(compiled, store_);
}

Graph Trainer::graph(std::int64_t views) const {
  InputSize size = size_;
  size.views = views;
  return build_training_graph(config_, size, options_);
}

TensorView Trainer::views(std::int64_t count) {
  std::unique_ptr<Executor>& executor = executors_[count];
  if (!executor) {
    executor = std::make_unique<Executor>(std::make_shared<const Plan>(graph(count), backend_, plan_options_),
                                          store_);
  }
  return executor->input();
}

void Trainer::restart(const Weights& weights) {
  store_->load(weights);
  steps_ = 0;
}

StepResult Trainer::step(std::span<const std::int64_t> labels, const StepOptions& options,
                         std::span<const float> class_weights) {
  Executor& executor = bind(labels, options, class_weights);
  executor.run();
  return finish(executor);
}

StepResult Trainer::step_timed(std::span<const std::int64_t> labels, const StepOptions& options,
                               std::vector<double>& seconds, std::span<const float> class_weights) {
  Executor& executor = bind(labels, options, class_weights);
  seconds = executor.run_timed();
  return finish(executor);
}

std::optional<std::string> Trainer::first_not_finite(std::span<const std::int64_t> labels,
                                                     const StepOptions& options,
                                                     std::span<const float> class_weights) {
  return bind(labels, options, class_weights).first_not_finite();
}

Executor& Trainer::bind(std::span<const std::int64_t> labels, const StepOptions& options,
                        std::span<const float> class_weights) {
  const auto found = executors_.find(static_cast<std::int64_t>(labels.size()));
  if (found == executors_.end() || !found->second) {
    throw Error("A step was given " + std::to_string(labels.size()) +
                " labels; there are no views for them.");
  }
  Executor& executor = *found->second;
  const std::int64_t classes = config_.head.num_classes;
  for (const std::int64_t label : labels) {
    if (label >= 0 && label < classes) continue;
    throw Error("There is no class " + std::to_string(label) + "; the model has " + std::to_string(classes) +
                ", counted from 0.");
  }
  const auto set = [&](std::string_view name, double value) {
    const auto number = static_cast<float>(value);
    fill(executor.input(name), std::span(&number, 1));
  };
  fill(executor.input(training_input::labels), labels);
  if (has_input(executor.plan(), training_input::class_weights)) {
    fill(executor.input(training_input::class_weights), class_weights);
  }
  if (has_input(executor.plan(), training_input::random_state)) {
    const std::array<std::int64_t, 2> state{options.seed, steps_};
    fill(executor.input(training_input::random_state), std::span<const std::int64_t>(state));
  }
  set(training_input::learning_rate, options.learning_rate);
  set(training_input::loss_scale, options.loss_scale);
  return executor;
}

StepResult Trainer::finish(const Executor& executor) {
  ++steps_;
  const auto number = [&](std::string_view name) {
    return static_cast<double>(executor.feature(name).values.at(0));
  };
  const double auxiliary = auxiliary_ ? number("loss_aux") : 0;
  return {.loss = number("loss_cls") + auxiliary,
          .auxiliary_loss = auxiliary,
          .gradient_norm = number("grad_norm"),
          .logits = executor.feature("logits").values};
}

}  // namespace tpn
