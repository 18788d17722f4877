// Loops over the channels of one pixel that several kernels share. Sums are f32.
#pragma once

#include <cstdint>

#include "kernels/half.h"

namespace tpn::cpu {

/// sum[c] += x[c].
void accumulate(const float* x, float* sum, std::int64_t channels);
void accumulate(const Bf16* x, float* sum, std::int64_t channels);

/// y[c] = x[c] * scale[c] + shift[c].
void scale_and_shift(const float* x, const float* scale, const float* shift, float* y, std::int64_t channels);
void scale_and_shift(const Bf16* x, const float* scale, const float* shift, Bf16* y, std::int64_t channels);

}  // namespace tpn::cpu
