// Weights of grouped convolutions of one pixel, with or without taps in time, in the orders that the kernels
// over tiles of groups read them in.
#pragma once

#include <memory>

#include "kernels/cuda/packing.h"
#include "kernels/half.h"

namespace tpn::cuda {

/// Sizes of a grouped convolution.
struct GroupedSizes {
  int in_per_group = 1;   ///< C / groups
  int out_per_group = 1;  ///< O / groups
  int outputs = 1;        ///< O
  int taps = 1;           ///< in time
};

enum class WeightOrder {
  by_output,   ///< (O, taps, C / groups)
  by_channel,  ///< (C / groups, taps, O rounded up to 32), zeros past O
};

/// What O is rounded up to in WeightOrder::by_channel.
inline constexpr int output_alignment = 32;

/// Operand 1, a weight (O, C / groups, taps, 1, 1), in that order, rounded to T.
template <class T>
std::shared_ptr<const Packing> grouped_packing(const Signature& signature, const GroupedSizes& sizes,
                                               WeightOrder order) {
  constexpr ConvType type = std::is_same_v<T, float> ? ConvType::f32
                            : std::is_same_v<T, F16> ? ConvType::f16
                                                     : ConvType::bf16;
  if (order == WeightOrder::by_output) return channels_last_packing(signature, 1, type);
  const int columns = (sizes.outputs + output_alignment - 1) / output_alignment * output_alignment;
  const std::int64_t row = std::int64_t{sizes.in_per_group} * sizes.taps;
  return permuted_packing("outputs last", signature, 1, type,
                          {.extents = {sizes.in_per_group, sizes.taps, columns},
                           .strides = {sizes.taps, 1, row},
                           .valid_a = sizes.in_per_group,
                           .valid_c = sizes.outputs});
}

}  // namespace tpn::cuda
