#include <algorithm>
#include <vector>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"
#include "kernels/ops/max_pool3d.h"

namespace tpn::cpu {
namespace {

/// Adds the gradients of those channels whose maximum was at that place of the window.
TPN_VECTORIZE void add_where(const float* dy, const std::uint8_t* places, std::uint8_t place, float* sum,
                             std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) sum[c] += places[c] == place ? dy[c] : 0;
}

TPN_VECTORIZE void add_where(const Bf16* dy, const std::uint8_t* places, std::uint8_t place, float* sum,
                             std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) sum[c] += places[c] == place ? static_cast<float>(dy[c]) : 0;
}

/// Windows [begin, end) of one axis that a cell lies in.
struct Windows {
  std::int64_t begin, end;
};

Windows windows_of(std::int64_t cell, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                   std::int64_t count) {
  const std::int64_t place = cell + padding;
  const std::int64_t first = place < kernel ? 0 : (place - kernel) / stride + 1;
  return {first, std::min(place / stride + 1, count)};
}

}  // namespace

// Each cell of x gathers from the windows that it lies in, so that threads share no cell.
std::unique_ptr<Kernel> compile(const ops::MaxPool3dGradient& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel(
        [pool = op.pool](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
          const Shape &y = in[0].shape, &x = out[0].shape;  // (N,T,H,W,C)
          const std::int64_t channels = x[4];
          const auto windows = [&](std::size_t axis, std::int64_t cell) {
            return windows_of(cell, pool.kernel[axis], pool.stride[axis], pool.padding[axis], y[axis + 1]);
          };
          const auto place_in = [&](std::size_t axis, std::int64_t cell, std::int64_t window) {
            return cell + pool.padding[axis] - window * pool.stride[axis];
          };
          parallel_for(x[0] * x[1] * x[2], 1, [&](std::int64_t begin, std::int64_t end) {
            std::vector<float> sum(static_cast<std::size_t>(channels));
            for (std::int64_t row = begin; row < end; ++row) {  // of (n, t, h)
              const std::int64_t n = row / x[2] / x[1], t = row / x[2] % x[1], h = row % x[2];
              const Windows ts = windows(0, t), hs = windows(1, h);
              for (std::int64_t w = 0; w < x[3]; ++w) {
                const Windows ws = windows(2, w);
                std::ranges::fill(sum, 0.0F);
                for (std::int64_t a = ts.begin; a < ts.end; ++a)
                  for (std::int64_t b = hs.begin; b < hs.end; ++b)
                    for (std::int64_t c = ws.begin; c < ws.end; ++c) {
                      const std::int64_t at = (((n * y[1] + a) * y[2] + b) * y[3] + c) * channels;
                      const std::int64_t place =
                          (place_in(0, t, a) * pool.kernel[1] + place_in(1, h, b)) * pool.kernel[2] +
                          place_in(2, w, c);
                      add_where(elements<T>(in[0]) + at, elements<std::uint8_t>(in[1]) + at,
                                static_cast<std::uint8_t>(place), sum.data(), channels);
                    }
                std::ranges::transform(sum, elements<T>(out[0]) + (row * x[3] + w) * channels,
                                       [](float value) { return T(value); });
              }
            }
          });
        });
  });
}

}  // namespace tpn::cpu
