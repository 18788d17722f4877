#include "engine/recognize/finite.h"

#include <algorithm>
#include <cmath>

#include "kernels/convert.h"

namespace tpn {
namespace {

std::string text_of(float value) {
  return std::isnan(value) ? "NaN" : value > 0 ? "infinity" : "-infinity";
}

}  // namespace

void require_finite_views(const std::string& name, const ConstTensorView& views) {
  const auto index = first_not_finite(views);
  if (!index) return;
  const ConstTensorView element{views.data + *index * size_of(views.dtype), views.dtype, {1}};
  throw Error(name + ": the views hold " + text_of(to_floats(element).front()) + " at " +
              position_text(*index, views.shape) +
              " of (views, 3, T, H, W), counted from 0; values must be finite.");
}

std::optional<Failure> fault_of_logits(const std::string& name, std::span<const float> logits,
                                       std::size_t classes) {
  const auto bad = std::ranges::find_if_not(logits, [](float x) { return std::isfinite(x); });
  if (bad == logits.end()) return std::nullopt;
  const auto index = static_cast<std::size_t>(bad - logits.begin());
  return Failure{
      name + ": the network's result is " + text_of(*bad) + " for class " + std::to_string(index % classes) +
      " of view " + std::to_string(index / classes) +
      ": numbers have become too large, and there are no scores. Are the weights damaged, or too large for "
      "this precision?"};
}

}  // namespace tpn
