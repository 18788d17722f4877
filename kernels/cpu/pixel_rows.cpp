#include "kernels/cpu/pixel_rows.h"

#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {

TPN_VECTORIZE void accumulate(const float* x, float* sum, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) sum[c] += x[c];
}

TPN_VECTORIZE void accumulate(const Bf16* x, float* sum, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) sum[c] += static_cast<float>(x[c]);
}

TPN_VECTORIZE void scale_and_shift(const float* x, const float* scale, const float* shift, float* y,
                                   std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) y[c] = x[c] * scale[c] + shift[c];
}

TPN_VECTORIZE void scale_and_shift(const Bf16* x, const float* scale, const float* shift, Bf16* y,
                                   std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) {
    y[c] = Bf16(static_cast<float>(x[c]) * scale[c] + shift[c]);
  }
}

}  // namespace tpn::cpu
