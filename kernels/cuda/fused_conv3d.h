// The kernels of convolutions, one by one: for tests that run each of them whatever the estimate says.
#pragma once

#include <memory>
#include <string_view>

#include "kernels/cuda/conv_schedule.h"

namespace tpn::cuda {

/// The variants that multiply a type; runs() tells which of them run a convolution on a device.
std::vector<ConvVariant> conv_variants(ConvType type);

/// The convolution as a matrix product by one variant, in `splits` parts of its depth (fewer where there are
/// fewer steps). Throws Error when it cannot be a product, or not by this variant on the current device.
std::unique_ptr<Kernel> compile_product(const ops::FusedConv3d& op, const Signature& signature,
                                        const ConvVariant& variant, int splits);

/// The kernel of candidates() that has this implementation(); null when there is none.
std::unique_ptr<Kernel> compile_named(const ops::FusedConv3d& op, const Signature& signature,
                                      std::string_view implementation);

/// The plain kernel, which runs every convolution.
std::unique_ptr<Kernel> compile_plain(const ops::FusedConv3d& op, const Signature& signature);

}  // namespace tpn::cuda
