#include "kernels/ops/temporal_shift.h"

#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"

namespace tpn::cpu {

// One copy of the tensor: three runs of channels per pixel, from the next, the previous and the same frame.
std::unique_ptr<Kernel> compile(const ops::TemporalShift& op, const Signature&) {
  return loop_kernel([fold = op.fold](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const Shape& shape = in[0].shape;  // (N,T,H,W,C)
    const auto element = static_cast<std::int64_t>(size_of(in[0].dtype));
    const std::int64_t pixels = shape[2] * shape[3], cell = shape[4] * element, frame = pixels * cell;
    const auto part = static_cast<std::size_t>(fold * element);
    parallel_for(shape[0] * shape[1] * pixels, elementwise_grain / shape[4] + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t pixel = begin; pixel < end; ++pixel) {
                     const std::int64_t t = pixel / pixels % shape[1];
                     const std::byte* x = in[0].data + pixel * cell;
                     std::byte* y = out[0].data + pixel * cell;
                     if (t + 1 < shape[1]) {
                       std::memcpy(y, x + frame, part);
                     } else {
                       std::memset(y, 0, part);
                     }
                     if (t > 0) {
                       std::memcpy(y + part, x + part - frame, part);
                     } else {
                       std::memset(y + part, 0, part);
                     }
                     std::memcpy(y + 2 * part, x + 2 * part, static_cast<std::size_t>(cell) - 2 * part);
                   }
                 });
  });
}

}  // namespace tpn::cpu
