#include "engine/exec/executor.h"

#include <cstring>

#include "kernels/convert.h"

namespace tpn {
namespace {

std::size_t dense_bytes(const Slot& slot) {
  return static_cast<std::size_t>(slot.shape.count()) * size_of(slot.dtype);
}

}  // namespace

Executor::Executor(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)),
      stream_(plan_->backend().make_stream()),
      arena_(plan_->backend().allocate(plan_->arena_bytes())) {
  if (plan_->backend().uses_host_memory()) return;
  input_ = HostBuffer(dense_bytes(plan_->input()));
}

TensorView Executor::view(const Slot& slot) const {
  // Nobody writes to a constant.
  return {slot.constant ? const_cast<std::byte*>(slot.values) : arena_.data() + slot.offset, slot.dtype,
          slot.shape};
}

TensorView Executor::input() const {
  TensorView input = view(plan_->input());
  if (!plan_->backend().uses_host_memory()) input.data = input_.data();
  return input;
}

void Executor::upload_input() {
  if (plan_->backend().uses_host_memory()) return;
  const Slot& slot = plan_->input();
  if (input_staging_.bytes() == 0) {
    input_staging_ = plan_->backend().allocate_staging(slot.bytes());
    std::memset(input_staging_.data(), 0, input_staging_.bytes());  // the channels past the last stay zeros
  }
  spread_pixels(input(), slot.stride(), input_staging_.data());
  stream_->upload(view(slot).data, input_staging_.data(), slot.bytes());
}

void Executor::run_step(const Step& step) const {
  std::vector<ConstTensorView> inputs;
  std::vector<TensorView> outputs;
  inputs.reserve(step.inputs.size());
  outputs.reserve(step.outputs.size());
  for (const Slot& slot : step.inputs) inputs.push_back(read_only(view(slot)));
  for (const Slot& slot : step.outputs) outputs.push_back(view(slot));
  step.kernel->run(inputs, outputs, step.packed, arena_.data() + plan_->scratch_offset(), *stream_);
}

void Executor::run_steps() {
  const auto all_steps = [this] {
    for (const Step& step : plan_->steps()) run_step(step);
  };
  if (!has_run_) {
    all_steps();  // what kernels and libraries do at their first launch cannot be recorded
    has_run_ = true;
    return;
  }
  if (!steps_) steps_ = stream_->record(all_steps);
  steps_->replay(*stream_);
}

void Executor::run() {
  plan_->backend().enter_thread();
  upload_input();
  run_steps();
  stream_->synchronize();
}

void Executor::run(const WriteInput& write) {
  enqueue(write);
  stream_->synchronize();
}

void Executor::enqueue(const WriteInput& write) {
  plan_->backend().enter_thread();
  write(view(plan_->input()), *stream_);
  run_steps();
}

std::vector<double> Executor::run_timed() {
  plan_->backend().enter_thread();
  upload_input();
  std::vector<std::unique_ptr<Mark>> marks;
  marks.push_back(stream_->mark());
  for (const Step& step : plan_->steps()) {
    run_step(step);
    marks.push_back(stream_->mark());
  }
  std::vector<double> seconds;
  for (std::size_t i = 1; i < marks.size(); ++i) seconds.push_back(marks[i]->seconds_since(*marks[i - 1]));
  stream_->synchronize();
  return seconds;
}

std::vector<std::vector<LaunchReport>> Executor::observe_launches() {
  std::vector<std::vector<LaunchReport>> launches;
  for (const Step& step : plan_->steps()) {
    launches.push_back(plan_->backend().observe([&] { run_step(step); }));
  }
  stream_->synchronize();
  return launches;
}

ConstTensorView Executor::result(std::string_view name) const {
  const Slot& slot = plan_->result(name);
  const TensorView device = view(slot);
  if (plan_->backend().uses_host_memory()) return read_only(device);
  if (staging_.bytes() < slot.bytes()) staging_ = plan_->backend().allocate_staging(slot.bytes());
  stream_->download(staging_.data(), device.data, slot.bytes());
  stream_->synchronize();
  if (result_.bytes() < dense_bytes(slot)) result_ = HostBuffer(dense_bytes(slot));
  const TensorView dense{result_.data(), slot.dtype, slot.shape};
  gather_pixels(staging_.data(), slot.stride(), dense);
  return read_only(dense);
}

Feature Executor::feature(std::string_view name) const {
  const ConstTensorView source = result(name);
  std::vector<float> values = to_floats(source);
  const Shape& s = source.shape;
  if (plan_->result(name).kind != Kind::activation) return {s, std::move(values)};
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
