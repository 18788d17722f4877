#include "kernels/ops/add.h"

#include <algorithm>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE void add(const float* a, const float* b, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

TPN_VECTORIZE void add(const Bf16* a, const Bf16* b, Bf16* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = Bf16(static_cast<float>(a[i]) + static_cast<float>(b[i]));
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Add&, const Signature& s) {
  const int in_place = s.inputs[0].shape == s.outputs[0].shape   ? 0
                       : s.inputs[1].shape == s.outputs[0].shape ? 1
                                                                 : -1;
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel(
        [](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
          const Shape& shape = out[0].shape;  // (N,T,H,W,C)
          const std::int64_t frame = shape[2] * shape[3] * shape[4], frames = shape[0] * shape[1];
          const auto at = [&](const ConstTensorView& x, std::int64_t f) {
            return elements<T>(x) + (x.shape[1] == shape[1] ? f : f / shape[1]) * frame;
          };
          parallel_for(frames * frame, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
            while (begin < end) {
              const std::int64_t f = begin / frame, offset = begin % frame;
              const std::int64_t count = std::min(frame - offset, end - begin);
              add(at(in[0], f) + offset, at(in[1], f) + offset, elements<T>(out[0]) + begin, count);
              begin += count;
            }
          });
        },
        in_place);
  });
}

}  // namespace tpn::cpu
