// The compiled kernels of weight gradients.
#pragma once

#include <span>

#include "kernels/cuda/conv_variants.h"

namespace tpn::cuda {

/// A tile's rows are output channels of a group, its columns elements of the convolution's depth k, and its
/// own depth is positions, of which each row has depth_bytes in a step.
struct WeightGradientVariant {
  ConvTile tile;
  void (*kernel)(WeightGradientProblem) = nullptr;
  /// Of those that fetch boxes.
  void (*box_kernel)(CUtensorMap dy, CUtensorMap x, WeightGradientProblem, ConvBoxes) = nullptr;
};

/// The most positions of a box, which is a step of those that fetch boxes.
inline constexpr int weight_box_positions = 64;

/// On tensor cores...
std::span<const WeightGradientVariant> weight_gradient_variants_bf16();
std::span<const WeightGradientVariant> weight_gradient_variants_f16();
std::span<const WeightGradientVariant> weight_gradient_variants_tf32();
/// ... with exact products...
std::span<const WeightGradientVariant> weight_gradient_variants_f32();
/// ... and by warp groups that fetch boxes, on devices of compute capability 9.0. Where TPN_HAS_WGMMA is not
/// defined they are not compiled.
std::span<const WeightGradientVariant> weight_gradient_box_variants_bf16();
std::span<const WeightGradientVariant> weight_gradient_box_variants_f16();

/// Adds up the partial sums and puts them into the parameter's order: a thread for each element, in all fewer
/// than 2^31 - conv_threads.
void (*weight_gradient_sum())(WeightGradientProblem);

}  // namespace tpn::cuda
