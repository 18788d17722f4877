// Forms of parameters that kernels read, made on the device: elements in another order and type, and folded
// batch norms. What they are made of is f32, as the network stores it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <cuda_runtime_api.h>

#include "kernels/backend.h"
#include "kernels/cuda/conv_variants.h"
#include "kernels/cuda/operand_layout.h"

namespace tpn::cuda {

/// Bytes that parts of one form begin at multiples of.
inline constexpr std::size_t part_alignment = 256;

/// A form (a, b, c), c innermost: element (a, b, c) is that of the stored weight at
/// a strides[0] + b strides[1] + c strides[2]; zero unless a < outputs and c < channels.
struct Permutation {
  std::array<int, 3> extents{1, 1, 1};
  std::array<std::int64_t, 3> strides{0, 0, 0};  ///< elements
  int valid_a = 1, valid_c = 1;

  [[nodiscard]] std::int64_t count() const { return std::int64_t{extents[0]} * extents[1] * extents[2]; }
};

/// Enqueues writing the form in that type. scale: multiplied in, for each a; null: none. Throws Error for
/// 2^31 elements or more.
void enqueue_permutation(const Permutation& permutation, ConvType type, const float* weight,
                         const float* scale, std::byte* packed, cudaStream_t stream);

/// The other way: enqueues writing elements of the form (f32) to where they are stored, those of the padding
/// nowhere. Throws as above.
void enqueue_inverse_permutation(const Permutation& permutation, const float* packed, float* weight,
                                 cudaStream_t stream);

/// Operand `source` in that form and type; `form` names the permutation.
std::shared_ptr<const Packing> permuted_packing(const std::string& form, const Signature& signature,
                                                std::size_t source, ConvType type,
                                                const Permutation& permutation);

/// A weight (O,I,taps...) as (O, taps, I).
std::shared_ptr<const Packing> channels_last_packing(const Signature& signature, std::size_t source,
                                                     ConvType type);

/// A folded batch norm on the device: y = x * scale + shift per channel, both zeros in the channels of the
/// padding, so that zeros stay zeros.
struct NormConstants {
  const float* scale = nullptr;  ///< (C rounded up); null: there is no batch norm
  const float* shift = nullptr;  ///< likewise
};

/// Operands `first` to first + 3, scale, shift, mean and variance, as NormConstants has them.
std::shared_ptr<const Packing> norm_packing(const Signature& signature, std::size_t first, double eps);
/// What norm_packing() has made.
NormConstants norm_constants(const std::byte* packed, const Packing& packing);

/// Enqueues folding a batch norm of C channels: scale and shift, rounded to T, each (padded), zeros past C.
/// norm: scale, shift, mean, variance. T: float, F16, Bf16.
template <class T>
void enqueue_folding(std::span<const ConstTensorView> norm, double eps, int padded, float* scale, T* shift,
                     cudaStream_t stream);

}  // namespace tpn::cuda
