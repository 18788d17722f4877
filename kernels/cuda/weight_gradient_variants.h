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
};

/// On tensor cores...
std::span<const WeightGradientVariant> weight_gradient_variants_bf16();
std::span<const WeightGradientVariant> weight_gradient_variants_f16();
std::span<const WeightGradientVariant> weight_gradient_variants_tf32();
/// ... and with exact products.
std::span<const WeightGradientVariant> weight_gradient_variants_f32();

/// Adds up the partial sums and puts them into the parameter's order: a thread for each element, in all fewer
/// than 2^31 - conv_threads.
void (*weight_gradient_sum())(WeightGradientProblem);

}  // namespace tpn::cuda
