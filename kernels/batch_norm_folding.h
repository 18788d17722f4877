// Batch norm with constant statistics as one multiplication and one addition per element.
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"

namespace tpn {

/// y = x * scale + shift, per channel.
struct FoldedNorm {
  std::vector<float> scale;
  std::vector<float> shift;
};

/// operands: scale, shift, mean, variance, all constant, which are released. Computed in double.
FoldedNorm fold_batch_norm(std::span<const Operand> operands, double eps);

}  // namespace tpn
