// The kernels of data gradients, one by one: for tests that run each of them whatever the estimate says.
#pragma once

#include <memory>
#include <string_view>

#include "kernels/backend.h"
#include "kernels/cuda/conv_variants.h"

namespace tpn::cuda {

/// The gradient as matrix products (conv_data_gradient_form.h) by one variant, each in `splits` parts of its
/// depth (fewer where there are fewer steps). Null when it cannot be products, or not by this variant on the
/// current device.
std::unique_ptr<Kernel> compile_product(const ops::Conv3dDataGradient& op, const Signature& signature,
                                        const ConvVariant& variant, int splits);

/// The kernel of candidates() that has this implementation(); null when there is none.
std::unique_ptr<Kernel> compile_named(const ops::Conv3dDataGradient& op, const Signature& signature,
                                      std::string_view implementation);

/// The plain kernel, which runs every data gradient.
std::unique_ptr<Kernel> compile_plain(const ops::Conv3dDataGradient& op, const Signature& signature);

}  // namespace tpn::cuda
