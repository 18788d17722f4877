// Convolutions with fewer products than taps have ("Winograd").
#pragma once

#include <optional>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/winograd.h"

namespace tpn::cpu {

/// What multiplies fastest here of tensors of a type: of bf16, bf16 where the processor gains by it, else
/// f32.
DType winograd_products(DType dtype);

/// The algorithm that computes the operation with products of a type, that of its tensors or f32; none where
/// there is none. In bf16, which needs AVX-512, plain products count as one.
std::optional<WinogradAlgorithm> find_winograd(const ops::FusedConv3d& op, const Signature& signature,
                                               DType products);

/// Whether it is faster than what oneDNN computes with the same products.
bool pays(WinogradAlgorithm algorithm, const ops::FusedConv3d& op, const Signature& signature,
          DType products);

/// algorithm: as found.
std::unique_ptr<Kernel> compile_winograd(WinogradAlgorithm algorithm, const ops::FusedConv3d& op,
                                         const Signature& signature, DType products);

}  // namespace tpn::cpu
