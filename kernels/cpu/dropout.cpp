#include "kernels/ops/dropout.h"

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::Dropout& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel(
        [op](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
          const std::int64_t *state = elements<std::int64_t>(in[1]), seed = state[0], step = state[1];
          const auto factor = static_cast<float>(1 / (1 - op.rate));
          parallel_for(in[0].shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
              const float x = static_cast<float>(elements<T>(in[0])[i]);
              elements<T>(out[0])[i] = T(op.keeps(seed, step, i) ? x * factor : 0.0F);
            }
          });
        },
        0);
  });
}

}  // namespace tpn::cpu
