// Between the order of axes that kernels have, channels last, and that of PyTorch, channels first.
#pragma once

#include <span>
#include <vector>

#include "kernels/tensor.h"

namespace tpn {

/// A dense tensor of this shape with two neighbouring axes, `axis` and the next, swapped.
std::vector<float> swap_axes(std::span<const float> values, const Shape& shape, std::size_t axis);

/// (N,T,H,W,C) as (N,C,T,H,W). shape: (N,T,H,W,C).
std::vector<float> channels_first(std::span<const float> values, const Shape& shape);
/// (N,C,T,H,W) as (N,T,H,W,C). shape: (N,T,H,W,C), of the result.
std::vector<float> channels_last(std::span<const float> values, const Shape& shape);

}  // namespace tpn
