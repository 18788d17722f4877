// Only finite numbers are views, and only of finite numbers can scores be made.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "kernels/error.h"
#include "kernels/tensor.h"

namespace tpn {

/// Throws Error when a value of the views (views, 3, T, H, W) is not finite, and says which. name: of what
/// they come from.
void require_finite_views(const std::string& name, const ConstTensorView& views);

/// Why the network's results, logits (views, K), are no scores: the first that is not finite. Nothing when
/// all are.
std::optional<Failure> fault_of_logits(const std::string& name, std::span<const float> logits,
                                       std::size_t classes);

}  // namespace tpn
