// The kernels of weight gradients, one by one: for tests that run each of them whatever the estimate says.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/weight_gradient_variants.h"

namespace tpn::cuda {

/// The variants that multiply a type.
std::vector<WeightGradientVariant> weight_gradient_variants(ConvType type);

/// The gradient as a matrix product by one variant, in `splits` parts of the positions (fewer where there are
/// fewer steps). Null when it cannot be a product, or not by this variant on the current device.
std::unique_ptr<Kernel> compile_product(const ops::Conv3dWeightGradient& op, const Signature& signature,
                                        const WeightGradientVariant& variant, int splits);

/// The kernel of candidates() that has this implementation(); null when there is none.
std::unique_ptr<Kernel> compile_named(const ops::Conv3dWeightGradient& op, const Signature& signature,
                                      std::string_view implementation);

/// The plain kernel, which runs every weight gradient.
std::unique_ptr<Kernel> compile_plain(const ops::Conv3dWeightGradient& op, const Signature& signature);

}  // namespace tpn::cuda
