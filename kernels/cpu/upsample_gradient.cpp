// Gradients of copies: what one cell was copied to is added up.
#include <algorithm>
#include <vector>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/pixel_rows.h"
#include "kernels/ops/add.h"
#include "kernels/ops/upsample.h"

namespace tpn::cpu {
namespace {

/// Cell (n, t, h, w) of the output is the sum of the block of `scale` cells of the input that begins at
/// (n, t * scale[0], ...).
std::unique_ptr<Kernel> sum_of_blocks(const Signature& s, const ops::Extent3& scale) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel([scale](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
      const Shape &y = in[0].shape, &x = out[0].shape;  // (N,T,H,W,C)
      const std::int64_t channels = x[4];
      parallel_for(x[0] * x[1] * x[2], 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> sum(static_cast<std::size_t>(channels));
        for (std::int64_t row = begin; row < end; ++row) {  // of (n, t, h)
          const std::int64_t n = row / x[2] / x[1], t = row / x[2] % x[1], h = row % x[2];
          for (std::int64_t w = 0; w < x[3]; ++w) {
            std::ranges::fill(sum, 0.0F);
            for (std::int64_t a = 0; a < scale[0]; ++a)
              for (std::int64_t b = 0; b < scale[1]; ++b)
                for (std::int64_t c = 0; c < scale[2]; ++c) {
                  const std::int64_t cell =
                      ((n * y[1] + t * scale[0] + a) * y[2] + h * scale[1] + b) * y[3] + w * scale[2] + c;
                  accumulate(elements<T>(in[0]) + cell * channels, sum.data(), channels);
                }
            std::ranges::transform(sum, elements<T>(out[0]) + (row * x[3] + w) * channels,
                                   [](float value) { return T(value); });
          }
        }
      });
    });
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::UpsampleGradient& op, const Signature& s) {
  return sum_of_blocks(s, op.scale);
}

std::unique_ptr<Kernel> compile(const ops::SumOverFrames&, const Signature& s) {
  return sum_of_blocks(s, {s.inputs[0].shape[1], 1, 1});
}

}  // namespace tpn::cpu
