// Convolutions with fewer products than taps have ("Winograd"), computed in f32.
#pragma once

#include <optional>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/winograd.h"

namespace tpn::cpu {

/// The algorithm that computes the operation here; none where there is none. In bf16, which needs AVX-512,
/// plain products count as one.
std::optional<WinogradAlgorithm> find_winograd(const ops::FusedConv3d& op, const Signature& signature);

/// Whether it is faster than oneDNN's direct convolution in the type of the tensors; of bf16, on a processor
/// that gains nothing by it.
bool pays(WinogradAlgorithm algorithm, const ops::FusedConv3d& op, const Signature& signature);

/// algorithm: as found.
std::unique_ptr<Kernel> compile_winograd(WinogradAlgorithm algorithm, const ops::FusedConv3d& op,
                                         const Signature& signature);

}  // namespace tpn::cpu
