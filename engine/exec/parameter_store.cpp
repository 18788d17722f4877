#include "engine/exec/parameter_store.h"

#include <cstring>

#include "kernels/convert.h"
#include "kernels/memory.h"

namespace tpn {
namespace {

std::size_t bytes_of(const TensorSpec& spec) {
  return static_cast<std::size_t>(spec.shape.count()) * size_of(spec.dtype);
}

}  // namespace

void StoredForm::update(Stream& stream) {
  std::vector<std::uint64_t> generations;
  std::vector<ConstTensorView> values;
  for (const Source& source : sources_) {
    generations.push_back(*source.generation);
    values.push_back(source.values);
  }
  if (generations == packed_) return;
  packing_->pack(values, memory_.data(), stream);
  packed_ = std::move(generations);
}

ParameterStore::ParameterStore(std::shared_ptr<const Backend> backend,
                               std::span<const PersistentTensor> tensors)
    : backend_(std::move(backend)) {
  for (const PersistentTensor& tensor : tensors) {
    const std::size_t bytes = bytes_of(tensor.spec);
    tensors_.try_emplace(tensor.name, Held{tensor, backend_->allocate(bytes)});
    bytes_ += bytes;
    clear(tensor);
  }
}

void ParameterStore::load(const Weights& weights) {
  for (const auto& [name, held] : tensors_) {
    const auto& [shape, kind, dtype] = held.tensor.spec;
    if (held.tensor.role != Role::state && kind != Kind::index) {
      const StoredParameter stored = weights.parameter(name, shape);
      write(name, stored.view);
      if (stored.release) stored.release();
      continue;
    }
    const SafetensorsFile::Entry* entry =
        held.tensor.role == Role::state ? nullptr : weights.tensors().find(name);
    if (entry != nullptr && entry->dtype == dtype && entry->shape == shape) {
      write(name, weights.tensors().view(*entry));
      continue;
    }
    clear(held.tensor);
  }
}

void ParameterStore::clear(const PersistentTensor& tensor) {
  const HostBuffer zeros(bytes_of(tensor.spec));
  std::memset(zeros.data(), 0, zeros.bytes());
  write(tensor.name, {zeros.data(), tensor.spec.dtype, tensor.spec.shape});
}

void ParameterStore::write(std::string_view name, const ConstTensorView& values) {
  const auto& [tensor, memory, generation] = at(name, values.shape);
  const std::size_t bytes = bytes_of(tensor.spec);
  const Buffer staging = backend_->allocate_staging(bytes);
  convert(values.data, values.dtype, staging.data(), tensor.spec.dtype,
          static_cast<std::size_t>(values.shape.count()));
  const std::unique_ptr<Stream> stream = backend_->make_stream();
  stream->upload(memory.data(), staging.data(), bytes);
  stream->synchronize();
  note_update(name);
}

void ParameterStore::read(std::string_view name, const TensorView& values) const {
  const auto& [tensor, memory, generation] = at(name, values.shape);
  const std::size_t bytes = bytes_of(tensor.spec);
  const Buffer staging = backend_->allocate_staging(bytes);
  const std::unique_ptr<Stream> stream = backend_->make_stream();
  stream->download(staging.data(), memory.data(), bytes);
  stream->synchronize();
  convert(staging.data(), tensor.spec.dtype, values.data, values.dtype,
          static_cast<std::size_t>(values.shape.count()));
}

TensorView ParameterStore::tensor(std::string_view name, const TensorSpec& spec) const {
  const Held& held = at(name);
  if (!(held.tensor.spec == spec)) {
    throw Error("The tensor '" + std::string(name) + "' is held as " + to_string(held.tensor.spec) +
                "; the plan needs " + to_string(spec) + ".");
  }
  return {held.memory.data(), spec.dtype, spec.shape};
}

std::shared_ptr<StoredForm> ParameterStore::form(const std::shared_ptr<const Packing>& packing,
                                                 std::span<const std::string> sources) {
  std::weak_ptr<StoredForm>& slot = forms_[packing->key()];
  if (auto form = slot.lock()) return form;
  std::vector<StoredForm::Source> held;
  for (const std::string& name : sources) {
    const Held& source = at(name);
    held.push_back(
        {{source.memory.data(), source.tensor.spec.dtype, source.tensor.spec.shape}, &source.generation});
  }
  auto form = std::make_shared<StoredForm>(packing, std::move(held), backend_->allocate(packing->bytes()));
  slot = form;
  return form;
}

void ParameterStore::note_update(std::string_view name) {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) ++found->second.generation;
}

const ParameterStore::Held& ParameterStore::at(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error("No tensor named '" + std::string(name) + "' is held.");
  return found->second;
}

const ParameterStore::Held& ParameterStore::at(std::string_view name, const Shape& shape) const {
  const Held& held = at(name);
  if (held.tensor.spec.shape != shape) {
    throw Error("The tensor '" + std::string(name) + "' has the shape " + to_string(held.tensor.spec.shape) +
                ", not " + to_string(shape) + ".");
  }
  return held;
}

}  // namespace tpn
