// Random inputs for operation cases.
#pragma once

#include <random>

#include "kernels/half.h"
#include "kernels/ops/op.h"

namespace tpn::verify {

/// Values of the range, rounded to bf16 when `rounded` so that every precision sees the same inputs.
inline ops::Tensor64 random_tensor(const Shape& shape, ops::Range range, std::mt19937& generator,
                                   bool rounded) {
  ops::Tensor64 tensor(shape);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform(0.5F, 1.5F);
  for (double& x : tensor.data) {
    const float value = range == ops::Range::symmetric ? normal(generator) : uniform(generator);
    x = rounded ? bf16_to_f32(f32_to_bf16(value)) : value;
  }
  return tensor;
}

}  // namespace tpn::verify
