#include "kernels/ops/temporal_shift.h"

#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"

namespace tpn::cpu {
namespace {

/// One copy of a tensor (N,T,H,W,C): `fold` channels of each pixel come from the frame `first` further, as
/// many from the frame `first` back, zeros where there is none, and the rest from the same frame. first: 1 or
/// -1.
std::unique_ptr<Kernel> shift(std::int64_t fold, std::int64_t first) {
  return loop_kernel([fold, first](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const Shape& shape = in[0].shape;
    const auto element = static_cast<std::int64_t>(size_of(in[0].dtype));
    const std::int64_t pixels = shape[2] * shape[3], cell = shape[4] * element, frame = pixels * cell;
    const std::int64_t part = fold * element;
    parallel_for(shape[0] * shape[1] * pixels, elementwise_grain / shape[4] + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t pixel = begin; pixel < end; ++pixel) {
                     const std::int64_t t = pixel / pixels % shape[1];
                     const std::byte* x = in[0].data + pixel * cell;
                     std::byte* y = out[0].data + pixel * cell;
                     for (const std::int64_t frames : {first, -first}) {
                       if (t + frames >= 0 && t + frames < shape[1]) {
                         std::memcpy(y, x + frames * frame, static_cast<std::size_t>(part));
                       } else {
                         std::memset(y, 0, static_cast<std::size_t>(part));
                       }
                       x += part;
                       y += part;
                     }
                     std::memcpy(y, x, static_cast<std::size_t>(cell - 2 * part));
                   }
                 });
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::TemporalShift& op, const Signature&) {
  return shift(op.fold, 1);
}

// What a frame gave to the one before it and the one after it comes back from them.
std::unique_ptr<Kernel> compile(const ops::TemporalShiftGradient& op, const Signature&) {
  return shift(op.fold, -1);
}

}  // namespace tpn::cpu
