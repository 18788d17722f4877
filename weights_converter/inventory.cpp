#include "weights_converter/inventory.h"

#include <algorithm>
#include <unordered_set>

#include "engine/model/text.h"

namespace tpn {
namespace {

/// The extents of a 3D kernel without t: what an image network has in its place.
Shape without_time(const Shape& kernel) {
  return {kernel[0], kernel[1], kernel[3], kernel[4]};
}

/// How often a tensor's elements are repeated to give the parameter: 1 for equal shapes, nothing when they do
/// not fit.
std::optional<std::int64_t> repetitions(const ParameterSpec& spec, const StoredTensor& tensor,
                                        NamingScheme scheme) {
  if (tensor.shape == spec.shape) return 1;
  if (spec.kind == ParameterKind::bn_batches && tensor.elements() == 1) return 1;  // (1,) as well as ()
  const bool inflatable = is_backbone_alone(scheme) && spec.shape.rank() == 5 && tensor.shape.rank() == 4;
  if (!inflatable || !(tensor.shape == without_time(spec.shape))) return std::nullopt;
  // Kernels that extend over time are 1x1 in space, so that repeating elements repeats kernels.
  const bool is_point = tensor.shape[2] == 1 && tensor.shape[3] == 1;
  return is_point || spec.shape[2] == 1 ? std::optional(spec.shape[2]) : std::nullopt;
}

std::optional<Mismatch> check_tensor(const ParameterSource& source, bool fits) {
  const StoredTensor& tensor = *source.tensor;
  const std::string name = "The tensor " + in_quotes(tensor.name) + " ";
  if (!fits) {
    return Mismatch{CheckpointError::shape_mismatch, name + "has shape " + to_string(tensor.shape) +
                                                         "; the model needs " + to_string(source.spec.shape) +
                                                         "."};
  }
  const bool counts = source.spec.kind == ParameterKind::bn_batches;
  if (counts ? tensor.dtype != DType::boolean : is_floating(tensor.dtype)) return std::nullopt;
  return Mismatch{CheckpointError::bad_dtype, name + "holds " + std::string(name_of(tensor.dtype)) +
                                                  " values; the model needs " +
                                                  (counts ? "numbers." : "floating-point ones.")};
}

/// Tensors that are no part of the network: what fcn_test copies from the classifier, an image network's
/// classifier, what averaging of weights counts.
bool is_known_extra(std::string_view name, NamingScheme scheme) {
  return name.starts_with("cls_head.new_cls.") || name == "n_averaged" || name == "steps" ||
         (scheme == NamingScheme::torchvision && name.starts_with("fc."));
}

}  // namespace

Inventory take_inventory(const NamedTensors& tensors, const Config& config) {
  Inventory inventory;
  std::unordered_set<const StoredTensor*> used;
  for (ParameterSpec& spec : parameter_specs(config)) {
    ParameterSource source{std::move(spec), nullptr, 1};
    source.tensor = tensors.find(source.spec.name);
    if (source.tensor == nullptr) {
      if (source.spec.kind == ParameterKind::bn_batches) {
        ++inventory.missing_batches;
      } else {
        inventory.missing.push_back(source.spec);
      }
    } else {
      const auto repeat = repetitions(source.spec, *source.tensor, tensors.scheme());
      if (auto mismatch = check_tensor(source, repeat.has_value())) {
        inventory.mismatched.push_back(*std::move(mismatch));
      }
      source.repeat = repeat.value_or(1);
      used.insert(source.tensor);
      inventory.renamed += source.tensor->name != source.spec.name ? 1 : 0;
    }
    inventory.parameters.push_back(std::move(source));
  }
  const std::vector<StoredTensor>& all = tensors.checkpoint().tensors();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (used.contains(&all[i])) continue;
    (is_known_extra(tensors.name(i), tensors.scheme()) ? inventory.ignored : inventory.unexpected)
        .push_back(all[i].name);
  }
  return inventory;
}

std::optional<CheckpointFailure> first_problem(const Inventory& inventory, bool allow_missing) {
  if (!inventory.mismatched.empty()) {
    const Mismatch& first = inventory.mismatched.front();
    return CheckpointFailure(first.kind, first.sentence);
  }
  if (allow_missing || inventory.missing.empty()) return std::nullopt;
  const ParameterSpec& first = inventory.missing.front();
  std::string sentence =
      "The checkpoint has no tensor for " + in_quotes(first.name) + " of shape " + to_string(first.shape);
  if (inventory.missing.size() > 1) {
    sentence += " and for " + std::to_string(inventory.missing.size() - 1) +
                " more parameters (--inspect lists them)";
  }
  return CheckpointFailure(CheckpointError::missing_keys, sentence + ".");
}

}  // namespace tpn
