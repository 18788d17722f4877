#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/ops/global_avg_pool.h"

namespace tpn::cpu {

// Every pixel gets the same share of its channel's gradient.
std::unique_ptr<Kernel> compile(const ops::GlobalAvgPoolGradient&, const Signature& s) {
  return with_element_type(s.outputs[0].dtype, [&]<class T>(T) {
    return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
      const Shape& x = out[0].shape;  // (N,T,H,W,C)
      const std::int64_t channels = x[4], pixels = x[1] * x[2] * x[3];
      for (std::int64_t n = 0; n < x[0]; ++n) {
        const float* dy = elements<float>(in[0]) + n * channels;
        T* first = elements<T>(out[0]) + n * pixels * channels;
        for (std::int64_t c = 0; c < channels; ++c) first[c] = T(dy[c] / static_cast<float>(pixels));
        parallel_for(pixels - 1, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) std::copy_n(first, channels, first + (i + 1) * channels);
        });
      }
    });
  });
}

}  // namespace tpn::cpu
