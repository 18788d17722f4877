// Spatial convolutions as one matrix product over gathered patches ("im2col").
#pragma once

#include "kernels/cpu/compile.h"

namespace tpn::cpu {

/// Whether the weights are so large that a convolution, which reads them again for every image, would wait
/// for memory: one product over the patches of all images reads them once.
bool prefers_patches(const ops::FusedConv3d& op, const Signature& signature);

/// Throws dnnl::error where oneDNN cannot.
std::unique_ptr<Kernel> compile_patches(const ops::FusedConv3d& op, const Signature& signature);

}  // namespace tpn::cpu
