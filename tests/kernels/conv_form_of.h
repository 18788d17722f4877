// The convolutions that tests cut for the kernels of CUDA.
#pragma once

#include <vector>

#include "kernels/cuda/conv_form.h"

namespace tpn::test {

/// The form of a convolution of x with a weight, activations with their channels padded to 8.
inline cuda::ConvForm form_of(const ops::FusedConv3d& op, const Shape& x, const Shape& weight,
                              DType dtype = DType::bf16) {
  const auto padded = [](std::int64_t channels) { return (channels + 7) / 8 * 8; };
  const Shape y = op.conv.output(x, weight);
  const std::vector<Operand> inputs{{x, dtype, padded(x[4])}, {.shape = weight, .kind = Kind::weight}};
  const std::vector<Operand> outputs{{y, dtype, padded(y[4])}};
  return cuda::conv_form(op, {inputs, outputs, false});
}

}  // namespace tpn::test
