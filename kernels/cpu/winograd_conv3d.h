// Convolutions with fewer products than taps have ("Winograd"), in f32.
#pragma once

#include <optional>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/winograd.h"

namespace tpn::cpu {

/// The algorithm that computes the operation here; none where there is none.
std::optional<WinogradAlgorithm> find_winograd(const ops::FusedConv3d& op, const Signature& signature);

/// Whether it is faster than a direct convolution.
bool pays(WinogradAlgorithm algorithm, const ops::FusedConv3d& op, const Signature& signature);

/// algorithm: as found.
std::unique_ptr<Kernel> compile_winograd(WinogradAlgorithm algorithm, const ops::FusedConv3d& op,
                                         const Signature& signature);

}  // namespace tpn::cpu
