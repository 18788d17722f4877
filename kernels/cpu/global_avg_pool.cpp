#include "kernels/ops/global_avg_pool.h"

#include <algorithm>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/pixel_rows.h"

namespace tpn::cpu {
// The output is f32 whatever the input: the classifier runs in f32.
std::unique_ptr<Kernel> compile(const ops::GlobalAvgPool&, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
      const Shape& x = in[0].shape;  // (N,T,H,W,C)
      const std::int64_t channels = x[4], cells = x[1] * x[2] * x[3];
      for (std::int64_t n = 0; n < x[0]; ++n) {
        float* y = elements<float>(out[0]) + n * channels;
        std::fill(y, y + channels, 0.0F);
        for (std::int64_t cell = 0; cell < cells; ++cell) {
          accumulate(elements<T>(in[0]) + (n * cells + cell) * channels, y, channels);
        }
        for (std::int64_t c = 0; c < channels; ++c) y[c] /= static_cast<float>(cells);
      }
    });
  });
}

}  // namespace tpn::cpu
