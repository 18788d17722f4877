#include "engine/exec/executor.h"

#include <chrono>

#include "kernels/convert.h"

namespace tpn {

Executor::Executor(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)), arena_(plan_->arena_bytes()) {}

TensorView Executor::view(const Slot& slot) const {
  return {slot.constant ? nullptr : arena_.data() + slot.offset, slot.dtype, slot.shape};
}

TensorView Executor::input() const {
  return view(plan_->input());
}

void Executor::run(std::vector<double>* seconds) {
  using Clock = std::chrono::steady_clock;
  plan_->backend().enter_thread();
  if (seconds) seconds->clear();
  std::vector<ConstTensorView> inputs;
  std::vector<TensorView> outputs;
  for (const Step& step : plan_->steps()) {
    const Clock::time_point start = Clock::now();
    inputs.clear();
    outputs.clear();
    for (const Slot& slot : step.inputs) inputs.push_back(read_only(view(slot)));
    for (const Slot& slot : step.outputs) outputs.push_back(view(slot));
    step.kernel->run(inputs, outputs, arena_.data() + plan_->scratch_offset());
    if (seconds) seconds->push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
}

ConstTensorView Executor::result(std::string_view name) const {
  return read_only(view(plan_->result(name)));
}

Feature Executor::feature(std::string_view name) const {
  const ConstTensorView source = result(name);
  std::vector<float> values = to_floats(source);
  const Shape& s = source.shape;
  if (s.rank() != 5) return {s, std::move(values)};
  const std::int64_t cells = s[1] * s[2] * s[3], channels = s[4];
  Feature feature{{s[0], channels, s[1], s[2], s[3]}, std::vector<float>(values.size())};
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t cell = 0; cell < cells; ++cell)
      for (std::int64_t c = 0; c < channels; ++c)
        feature.values[static_cast<std::size_t>((n * channels + c) * cells + cell)] =
            values[static_cast<std::size_t>((n * cells + cell) * channels + c)];
  return feature;
}

}  // namespace tpn
