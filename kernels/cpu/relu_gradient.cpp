#include "kernels/cpu/compile.h"
#include "kernels/cpu/float_block.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"
#include "kernels/ops/relu.h"

namespace tpn::cpu {
namespace {

/// NaN in y lets its gradient through, as in PyTorch.
TPN_VECTORIZE void mask(const float* dy, const float* y, float* dx, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) dx[i] = y[i] <= 0 ? 0 : dy[i];
}

TPN_VECTORIZE void mask(const Bf16* dy, const Bf16* y, Bf16* dx, std::int64_t count) {
  for_each_block(1, count, [=](std::int64_t at, std::int64_t, std::int64_t part) {
    FloatBlock gradient, value;
    gradient.load(dy + at, part);
    value.load(y + at, part);
    for (std::int64_t i = 0; i < part; ++i) {
      gradient.values[i] = value.values[i] <= 0 ? 0 : gradient.values[i];
    }
    gradient.store(dx + at, part);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::ReluGradient&, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel(
        [](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
          parallel_for(in[0].shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
            mask(elements<T>(in[0]) + begin, elements<T>(in[1]) + begin, elements<T>(out[0]) + begin,
                 end - begin);
          });
        },
        0);
  });
}

}  // namespace tpn::cpu
