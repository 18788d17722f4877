// Between the network's layout of views, (views, T, H, W, C), and the reference's, channels before frames.
#pragma once

#include <span>
#include <vector>

#include "engine/exec/executor.h"
#include "kernels/tensor.h"

namespace tpn {

/// Views (n, 3, T, H, W) in float32 into a tensor (n, T, H, W, 3) of another floating type.
void to_network_layout(std::span<const float> views, const TensorView& out);

/// A view (T, H, W, 3) in float32 as (3, T, H, W).
std::vector<float> to_reference_layout(const ConstTensorView& view);

/// A feature (n, C, T, H, W) as (n * T, C, H, W): how a 2D backbone's are given.
Feature frames_as_batch(const Feature& feature);

}  // namespace tpn
