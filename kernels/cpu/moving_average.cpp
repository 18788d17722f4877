#include "kernels/ops/moving_average.h"

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE void take_in(float share, const float* parameter, const float* old, float* average,
                           std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) average[i] = old[i] + share * (parameter[i] - old[i]);
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::MovingAverage& op, const Signature&) {
  const auto share = static_cast<float>(1 - op.decay);
  return loop_kernel([share](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float *parameter = elements<float>(in[2 * i]), *old = elements<float>(in[2 * i + 1]);
      float* average = elements<float>(out[i]);
      parallel_for(out[i].shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
        take_in(share, parameter + begin, old + begin, average + begin, end - begin);
      });
    }
  });
}

}  // namespace tpn::cpu
