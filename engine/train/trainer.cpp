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
    : classes_(config.head.num_classes) {
  const Graph graph = build_training_graph(config, size, options);
  auxiliary_ = std::ranges::count(graph.features(), "loss_aux", &std::pair<std::string, ValueId>::first) > 0;
  const auto compiled = std::make_shared<const Plan>(graph, backend, plan);
  store_ = std::make_shared<ParameterStore>(backend, compiled->persistent());
  store_->load(weights);
  executor_ = std::make_unique<Executor>(compiled, store_);
}

void Trainer::restart(const Weights& weights) {
  store_->load(weights);
  steps_ = 0;
}

StepResult Trainer::step(std::span<const std::int64_t> labels, const StepOptions& options,
                         std::span<const float> class_weights) {
  bind(labels, options, class_weights);
  executor_->run();
  return finish();
}

StepResult Trainer::step_timed(std::span<const std::int64_t> labels, const StepOptions& options,
                               std::vector<double>& seconds, std::span<const float> class_weights) {
  bind(labels, options, class_weights);
  seconds = executor_->run_timed();
  return finish();
}

void Trainer::bind(std::span<const std::int64_t> labels, const StepOptions& options,
                   std::span<const float> class_weights) {
  for (const std::int64_t label : labels) {
    if (label >= 0 && label < classes_) continue;
    throw Error("There is no class " + std::to_string(label) + "; the model has " + std::to_string(classes_) +
                ", counted from 0.");
  }
  const auto set = [this](std::string_view name, double value) {
    const auto number = static_cast<float>(value);
    fill(executor_->input(name), std::span(&number, 1));
  };
  fill(executor_->input(training_input::labels), labels);
  if (has_input(plan(), training_input::class_weights)) {
    fill(executor_->input(training_input::class_weights), class_weights);
  }
  if (has_input(plan(), training_input::random_state)) {
    const std::array<std::int64_t, 2> state{options.seed, steps_};
    fill(executor_->input(training_input::random_state), std::span<const std::int64_t>(state));
  }
  set(training_input::learning_rate, options.learning_rate);
  set(training_input::loss_scale, options.loss_scale);
}

StepResult Trainer::finish() {
  ++steps_;
  const auto number = [this](std::string_view name) {
    return static_cast<double>(executor_->feature(name).values.at(0));
  };
  return {.loss = number("loss_cls") + (auxiliary_ ? number("loss_aux") : 0),
          .gradient_norm = number("grad_norm"),
          .logits = executor_->feature("logits").values};
}

}  // namespace tpn
