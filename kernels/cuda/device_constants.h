// Constants in the forms that several kernels want them in, in device memory.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/cuda/operand_layout.h"

namespace tpn::cuda {

/// A folded batch norm: y = x * scale + shift per channel, both zeros in the channels of the padding, so that
/// zeros stay zeros.
struct NormConstants {
  std::shared_ptr<const Buffer> buffer;  ///< f32: scale, then shift; of C rounded up each
  std::int64_t channels = 0;             ///< C rounded up

  [[nodiscard]] const float* scale() const { return reinterpret_cast<const float*>(buffer->data()); }
  [[nodiscard]] const float* shift() const { return scale() + channels; }
};

/// norm: the operands scale, shift, mean, variance.
NormConstants norm_constants(std::span<const Operand> norm, double eps, PreparedWeights& prepared);

/// The constant's elements in order, as f32.
std::shared_ptr<const Buffer> float_constant(const Constant& constant, PreparedWeights& prepared);

}  // namespace tpn::cuda
