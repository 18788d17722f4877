#include "kernels/ops/relu.h"

#include <algorithm>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE void rectify(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] < 0 ? 0 : x[i];
}

constexpr std::uint16_t negative_infinity = 0xFF80;

/// Bits with the sign become 0, but for those of NaN, which are the largest.
TPN_VECTORIZE void rectify(const Bf16* x, Bf16* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i].bits = x[i].bits >= 0x8000U && x[i].bits <= negative_infinity ? std::uint16_t{0} : x[i].bits;
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Relu&, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel(
        [](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
          parallel_for(in[0].shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
            rectify(elements<T>(in[0]) + begin, elements<T>(out[0]) + begin, end - begin);
          });
        },
        0);
  });
}

}  // namespace tpn::cpu
