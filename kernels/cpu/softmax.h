// Softmax of one row, in f32 with the sum in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace tpn::cpu {

/// x, y: `classes` values, at least one; may be the same memory.
inline void softmax_row(const float* x, float* y, std::int64_t classes) {
  const float top = *std::max_element(x, x + classes);
  double sum = 0;
  for (std::int64_t k = 0; k < classes; ++k) sum += y[k] = std::exp(x[k] - top);
  for (std::int64_t k = 0; k < classes; ++k) y[k] = static_cast<float>(y[k] / sum);
}

}  // namespace tpn::cpu
