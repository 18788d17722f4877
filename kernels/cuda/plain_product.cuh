// What the plain kernels of convolutions multiply: elements as they lie in memory, rounded as tensor cores
// round them.
#pragma once

#include "kernels/cuda/conv_variants.h"
#include "kernels/cuda/device.cuh"

namespace tpn::cuda {

/// What is multiplied and how it is stored.
template <class E, bool RoundsToTf32 = false>
struct Product {
  using Element = E;
  static constexpr bool rounds_to_tf32 = RoundsToTf32;
};

/// An activation as it is multiplied. T: a Product.
template <class T>
__device__ __forceinline__ float factor(const typename T::Element* x) {
  const float value = to_float(*x);
  if constexpr (T::rounds_to_tf32) {
    return __uint_as_float(round_to_tf32(__float_as_uint(value)));
  } else {
    return value;
  }
}

/// Calls make(T{}) with the Product of a type and returns what it returns.
template <class Make>
auto with_product(ConvType type, const Make& make) {
  switch (type) {
    case ConvType::f16:
      return make(Product<F16>{});
    case ConvType::bf16:
      return make(Product<Bf16>{});
    case ConvType::tf32:
      return make(Product<float, true>{});
    case ConvType::f32:
      break;
  }
  return make(Product<float>{});
}

}  // namespace tpn::cuda
