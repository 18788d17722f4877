#include "benchmarks/step_time.h"

#include <algorithm>
#include <variant>

#include "benchmarks/check_case.h"

namespace tpn::benchmarks {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<Slot>& slots) {
  std::vector<TensorSpec> specs;
  specs.reserve(slots.size());
  for (const Slot& slot : slots) specs.push_back({slot.shape, slot.kind, slot.dtype});
  return specs;
}

/// Those of the kinds that reports name: all but vectors of numbers by channel.
std::vector<Shape> shapes_to_tell(const std::vector<TensorSpec>& specs) {
  std::vector<Shape> shapes;
  for (const TensorSpec& spec : specs) {
    if (spec.kind != Kind::per_channel) shapes.push_back(spec.shape);
  }
  return shapes;
}

}  // namespace

std::string_view name_of(Phase phase) {
  if (phase == Phase::forward) return "forward";
  return phase == Phase::backward ? "backward" : "update";
}

std::vector<Phase> phases_of(const Plan& plan) {
  std::vector<Phase> phases;
  Phase phase = Phase::forward;
  for (const Step& step : plan.steps()) {
    if (std::holds_alternative<ops::CrossEntropyGradient>(step.op)) phase = Phase::backward;
    if (std::holds_alternative<ops::GradientNorm>(step.op)) phase = Phase::update;
    phases.push_back(phase);
  }
  return phases;
}

std::vector<StepTime> step_times(const Plan& plan, DType precision,
                                 const std::vector<std::vector<double>>& series) {
  const std::vector<Phase> phases = phases_of(plan);
  std::vector<StepTime> times;
  for (std::size_t i = 0; i < plan.steps().size(); ++i) {
    const Step& step = plan.steps()[i];
    const std::vector<TensorSpec> inputs = specs_of(step.inputs), outputs = specs_of(step.outputs);
    StepTime time{.name = step.name,
                  .op = std::string(tpn::name_of(step.op)),
                  .implementation = step.kernel->implementation(),
                  .inputs = shapes_to_tell(inputs),
                  .outputs = shapes_to_tell(outputs),
                  .multiply_adds = step.multiply_adds,
                  .work = step.kernel->work(),
                  .candidates = step.kernel->candidates(),
                  .phase = phases[i]};
    if (!series.empty()) {
      std::vector<double> seconds;
      seconds.reserve(series.size());
      for (const std::vector<double>& run : series) seconds.push_back(run[i]);
      time.seconds = summarize(std::move(seconds));
    }
    if (time.work.bytes == 0) time.work.bytes = bytes_moved(inputs, outputs, precision);
    times.push_back(std::move(time));
  }
  return times;
}

}  // namespace tpn::benchmarks
