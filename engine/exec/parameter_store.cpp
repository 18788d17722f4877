#include "engine/exec/parameter_store.h"

#include <cstring>
#include <utility>

#include "kernels/convert.h"
#include "kernels/memory.h"

namespace tpn {
namespace {

std::size_t bytes_of(const TensorSpec& spec) {
  return static_cast<std::size_t>(spec.shape.count()) * size_of(spec.dtype);
}

void require_shape(const PersistentTensor& tensor, const Shape& shape) {
  if (tensor.spec.shape == shape) return;
  throw Error("The tensor '" + tensor.name + "' has the shape " + to_string(tensor.spec.shape) + ", not " +
              to_string(shape) + ".");
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
    const auto [held, is_new] = tensors_.try_emplace(tensor.name, Held{tensor, backend_->allocate(bytes)});
    bytes_ += bytes;
    clear(held->second);
  }
}

void ParameterStore::load(const Weights& weights) {
  for (auto& [name, held] : tensors_) {
    const auto& [shape, kind, dtype] = held.tensor.spec;
    const bool in_file = held.tensor.role == Role::parameter || held.tensor.role == Role::buffer;
    if (in_file && kind != Kind::index) {
      const StoredParameter stored = weights.parameter(name, shape);
      write(held, stored.view);
      if (stored.release) stored.release();
      continue;
    }
    const SafetensorsFile::Entry* entry = in_file ? weights.tensors().find(name) : nullptr;
    if (entry != nullptr && entry->dtype == dtype && entry->shape == shape) {
      write(held, weights.tensors().view(*entry));
      continue;
    }
    clear(held);
  }
}

void ParameterStore::set(Held& held, const std::function<void(std::byte*)>& fill) {
  ++held.generation;
  if (backend_->uses_host_memory()) return fill(held.memory.data());
  const Buffer staging = backend_->allocate_staging(held.memory.bytes());
  fill(staging.data());
  const std::unique_ptr<Stream> stream = backend_->make_stream();
  stream->upload(held.memory.data(), staging.data(), staging.bytes());
  stream->synchronize();
}

void ParameterStore::clear(Held& held) {
  set(held, [&](std::byte* to) { std::memset(to, 0, held.memory.bytes()); });
}

void ParameterStore::clear(Role role) {
  for (auto& [name, held] : tensors_) {
    if (held.tensor.role == role) clear(held);
  }
}

void ParameterStore::write(Held& held, const ConstTensorView& values) {
  set(held, [&](std::byte* to) {
    convert(values.data, values.dtype, to, held.tensor.spec.dtype,
            static_cast<std::size_t>(values.shape.count()));
  });
}

void ParameterStore::write(std::string_view name, const ConstTensorView& values) {
  Held& held = at(name);
  require_shape(held.tensor, values.shape);
  write(held, values);
}

void ParameterStore::visit(std::string_view name,
                           const std::function<void(const ConstTensorView&)>& look) const {
  const Held& held = at(name);
  const auto& [shape, kind, dtype] = held.tensor.spec;
  if (backend_->uses_host_memory()) return look({held.memory.data(), dtype, shape});
  const Buffer staging = backend_->allocate_staging(held.memory.bytes());
  const std::unique_ptr<Stream> stream = backend_->make_stream();
  stream->download(staging.data(), held.memory.data(), staging.bytes());
  stream->synchronize();
  look({staging.data(), dtype, shape});
}

void ParameterStore::read(std::string_view name, const TensorView& values) const {
  require_shape(at(name).tensor, values.shape);
  visit(name, [&](const ConstTensorView& held) {
    convert(held.data, held.dtype, values.data, values.dtype, static_cast<std::size_t>(values.shape.count()));
  });
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
  ++at(name).generation;
}

const ParameterStore::Held& ParameterStore::at(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error("No tensor named '" + std::string(name) + "' is held.");
  return found->second;
}

ParameterStore::Held& ParameterStore::at(std::string_view name) {
  return const_cast<Held&>(std::as_const(*this).at(name));
}

}  // namespace tpn
