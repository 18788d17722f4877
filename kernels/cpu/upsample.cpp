#include "kernels/ops/upsample.h"

#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::Upsample& op, const Signature&) {
  return loop_kernel([scale = op.scale](std::span<const ConstTensorView> in,
                                        std::span<const TensorView> out) {
    const Shape &x = in[0].shape, &y = out[0].shape;  // (N,T,H,W,C)
    const std::int64_t cell = x[4] * static_cast<std::int64_t>(size_of(in[0].dtype));
    parallel_for(y[0] * y[1] * y[2], 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {  // of (n, t, h)
        const std::int64_t h = row % y[2], t = row / y[2] % y[1], n = row / y[2] / y[1];
        const std::byte* from = in[0].data + ((n * x[1] + t / scale[0]) * x[2] + h / scale[1]) * x[3] * cell;
        std::byte* to = out[0].data + row * y[3] * cell;
        for (std::int64_t w = 0; w < y[3]; ++w) {
          std::memcpy(to + w * cell, from + w / scale[2] * cell, static_cast<std::size_t>(cell));
        }
      }
    });
  });
}

}  // namespace tpn::cpu
