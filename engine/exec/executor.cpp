#include "engine/exec/executor.h"

#include <algorithm>
#include <cstring>

#include "kernels/channel_order.h"
#include "kernels/convert.h"

namespace tpn {
namespace {

std::size_t dense_bytes(const Slot& slot) {
  return static_cast<std::size_t>(slot.shape.count()) * size_of(slot.dtype);
}

}  // namespace

Executor::Executor(std::shared_ptr<const Plan> plan, std::shared_ptr<ParameterStore> store,
                   std::shared_ptr<const Buffer> arena)
    : plan_(std::move(plan)),
      store_(std::move(store)),
      stream_(plan_->backend().make_stream()),
      arena_(std::move(arena)) {
  if (!arena_ || arena_->bytes() < plan_->arena_bytes()) {
    arena_ = std::make_shared<const Buffer>(plan_->backend().allocate(plan_->arena_bytes()));
  }
  for (const PersistentTensor& tensor : plan_->persistent()) {
    if (!store_) throw Error("A plan that updates parameters was given no store of them.");
    persistent_.push_back(store_->tensor(tensor.name, tensor.spec));
  }
  for (const KeptForm& form : plan_->kept_forms()) {
    kept_forms_.push_back(store_->form(form.packing, form.sources));
  }
  if (plan_->backend().uses_host_memory()) return;
  for (const auto& [name, slot] : plan_->inputs()) inputs_.emplace_back(dense_bytes(slot));
}

TensorView Executor::view(const Slot& slot) const {
  if (slot.residence == Residence::persistent) return persistent_[slot.offset];
  // Nobody writes to a constant.
  auto* data = slot.residence == Residence::constant ? const_cast<std::byte*>(slot.values)
                                                     : arena_->data() + slot.offset;
  return {data, slot.dtype, slot.shape};
}

TensorView Executor::input_view(std::size_t index) const {
  TensorView input = view(plan_->inputs()[index].second);
  if (!plan_->backend().uses_host_memory()) input.data = inputs_[index].data();
  return input;
}

TensorView Executor::input(std::string_view name) const {
  const Slot& slot = plan_->input(name);
  const auto same = [&](const auto& named) { return &named.second == &slot; };
  const auto found = std::ranges::find_if(plan_->inputs(), same);
  return input_view(static_cast<std::size_t>(found - plan_->inputs().begin()));
}

void Executor::upload_inputs() {
  if (plan_->backend().uses_host_memory()) return;
  for (std::size_t i = 0; i < plan_->inputs().size(); ++i) {
    const Slot& slot = plan_->inputs()[i].second;
    if (inputs_staging_.size() == i) {
      Buffer& staging = inputs_staging_.emplace_back(plan_->backend().allocate_staging(slot.bytes()));
      std::memset(staging.data(), 0, staging.bytes());  // the channels past the last stay zeros
    }
    spread_pixels(input_view(i), slot.stride(), inputs_staging_[i].data());
    stream_->upload(view(slot).data, inputs_staging_[i].data(), slot.bytes());
  }
}

const std::byte* Executor::place(const FormSlot& form) const {
  if (form.residence == Residence::persistent) return kept_forms_[form.offset]->data();
  return form.residence == Residence::constant ? form.bytes : arena_->data() + form.offset;
}

void Executor::run_step(const Step& step) const {
  std::vector<ConstTensorView> inputs;
  std::vector<TensorView> outputs;
  inputs.reserve(step.inputs.size());
  outputs.reserve(step.outputs.size());
  for (const Slot& slot : step.inputs) inputs.push_back(read_only(view(slot)));
  for (const Slot& slot : step.outputs) outputs.push_back(view(slot));
  for (const FormInArena& form : step.packs) {
    std::vector<ConstTensorView> sources;
    sources.reserve(form.sources.size());
    for (const Slot& slot : form.sources) sources.push_back(read_only(view(slot)));
    form.packing->pack(sources, arena_->data() + form.offset, *stream_);
  }
  std::vector<const std::byte*> packed;
  packed.reserve(step.packed.size());
  for (const FormSlot& form : step.packed) packed.push_back(place(form));
  step.kernel->run(inputs, outputs, packed, arena_->data() + step.scratch, *stream_);
}

void Executor::begin_run() {
  for (const auto& form : kept_forms_) form->update(*stream_);
  for (const PersistentTensor& tensor : plan_->persistent()) {
    if (tensor.is_updated) store_->note_update(tensor.name);
  }
}

void Executor::run_steps() {
  const auto all_steps = [this] {
    for (const Step& step : plan_->steps()) run_step(step);
  };
  begin_run();
  const auto waits = [](const Step& step) { return step.kernel->waits(); };
  if (!has_run_ || std::ranges::any_of(plan_->steps(), waits)) {
    all_steps();  // what kernels and libraries do at their first launch cannot be recorded
    has_run_ = true;
    return;
  }
  if (!steps_) steps_ = stream_->record(all_steps);
  steps_->replay(*stream_);
}

void Executor::run() {
  plan_->backend().enter_thread();
  upload_inputs();
  run_steps();
  stream_->synchronize();
}

void Executor::start(const std::function<void(const Step&)>& after) {
  plan_->backend().enter_thread();
  upload_inputs();
  begin_run();
  for (const Step& step : plan_->steps()) {
    run_step(step);
    after(step);
  }
}

void Executor::enqueue() {
  plan_->backend().enter_thread();
  run_steps();
}

std::vector<double> Executor::run_timed() {
  plan_->backend().enter_thread();
  upload_inputs();
  begin_run();
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
  begin_run();
  for (const Step& step : plan_->steps()) {
    launches.push_back(plan_->backend().observe([&] { run_step(step); }));
  }
  stream_->synchronize();
  return launches;
}

ConstTensorView Executor::result(std::string_view name) const {
  return on_host(plan_->result(name));
}

ConstTensorView Executor::on_host(const Slot& slot) const {
  const TensorView device = view(slot);
  const bool host = plan_->backend().uses_host_memory();
  if (host && slot.stride() == slot.channels()) return read_only(device);
  const std::byte* pixels = device.data;
  if (!host) {
    if (staging_.bytes() < slot.bytes()) staging_ = plan_->backend().allocate_staging(slot.bytes());
    stream_->download(staging_.data(), device.data, slot.bytes());
    stream_->synchronize();
    pixels = staging_.data();
  }
  if (result_.bytes() < dense_bytes(slot)) result_ = HostBuffer(dense_bytes(slot));
  const TensorView dense{result_.data(), slot.dtype, slot.shape};
  gather_pixels(pixels, slot.stride(), dense);
  return read_only(dense);
}

std::optional<std::string> Executor::first_not_finite() {
  plan_->backend().enter_thread();
  upload_inputs();
  const auto is_wrong = [&](const Slot& slot) {
    return slot.kind != Kind::index && tpn::first_not_finite(on_host(slot)).has_value();
  };
  for (const auto& [name, slot] : plan_->inputs()) {
    if (is_wrong(slot)) return name;
  }
  begin_run();
  for (const Step& step : plan_->steps()) {
    run_step(step);
    if (std::ranges::any_of(step.outputs, is_wrong)) return step.name;
  }
  return std::nullopt;
}

Feature Executor::feature(std::string_view name) const {
  const ConstTensorView source = result(name);
  std::vector<float> values = to_floats(source);
  const Shape& s = source.shape;
  if (plan_->result(name).kind != Kind::activation) return {s, std::move(values)};
  return {{s[0], s[4], s[1], s[2], s[3]}, channels_first(values, s)};
}

}  // namespace tpn
