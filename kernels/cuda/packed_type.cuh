// The types that packed weights have, as kernels write them.
#pragma once

#include <type_traits>

#include "kernels/cuda/conv_form.h"
#include "kernels/cuda/device.cuh"

namespace tpn::cuda {

/// What a weight lies in memory as: Type is float, Tf32, F16 or Bf16.
template <class Type>
using PackedElement = std::conditional_t<std::is_same_v<Type, Tf32>, float, Type>;

/// To nearest: ties to even, to tf32 away from zero, as tensor cores are given activations.
template <class Type>
__device__ __forceinline__ PackedElement<Type> to_packed(float value) {
  if constexpr (std::is_same_v<Type, Tf32>) {
    return __uint_as_float(round_to_tf32(__float_as_uint(value)));
  } else {
    return from_float<Type>(value);
  }
}

/// Calls with(std::type_identity<Type>{}).
template <class With>
void with_packed_type(ConvType type, const With& with) {
  switch (type) {
    case ConvType::f32:
      return with(std::type_identity<float>{});
    case ConvType::tf32:
      return with(std::type_identity<Tf32>{});
    case ConvType::f16:
      return with(std::type_identity<F16>{});
    case ConvType::bf16:
      return with(std::type_identity<Bf16>{});
  }
}

}  // namespace tpn::cuda
