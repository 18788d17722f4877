#include "engine/model/weights.h"

#include "kernels/convert.h"

namespace tpn {

Weights::Weights(ModelFile file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

std::shared_ptr<const Weights> Weights::load(const std::filesystem::path& path) {
  return std::make_shared<const Weights>(open_model_file(path), path.string());
}

StoredParameter Weights::parameter(const std::string& name, const Shape& expected) const {
  const SafetensorsFile::Entry* entry = file_.tensors.find(name);
  if (!entry) throw Error(name_ + ": the tensor '" + name + "' is missing.");
  if (!(entry->shape == expected)) {
    throw Error(name_ + ": the tensor '" + name + "' has shape " + to_string(entry->shape) + "; expected " +
                to_string(expected) + ".");
  }
  if (!is_floating(entry->dtype)) {
    throw Error(name_ + ": the tensor '" + name + "' holds " + std::string(name_of(entry->dtype)) +
                " values; expected floating-point ones.");
  }
  check_finite(*entry);
  return {file_.tensors.view(*entry), [this, entry] { file_.tensors.release(*entry); }};
}

void Weights::check_finite(const SafetensorsFile::Entry& entry) const {
  const std::lock_guard lock(mutex_);
  if (finite_.contains(&entry)) return;
  const ConstTensorView view = file_.tensors.view(entry);
  if (const auto index = first_not_finite(view)) {
    const ConstTensorView element{view.data + *index * size_of(view.dtype), view.dtype, {1}};
    throw Error(name_ + ": the tensor '" + entry.name + "' holds " +
                std::to_string(to_floats(element).front()) + " at " + position_text(*index, view.shape) +
                "; weights must be finite.");
  }
  finite_.insert(&entry);
}

PackedWeights& Weights::packed(const std::string& memory) const {
  const std::lock_guard lock(mutex_);
  return packed_[memory];
}

}  // namespace tpn
