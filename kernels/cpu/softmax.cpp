#include "kernels/cpu/softmax.h"

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::Softmax&, const Signature&) {
  return loop_kernel(
      [](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
        const std::int64_t classes = in[0].shape[1];
        for (std::int64_t n = 0; n < in[0].shape[0]; ++n) {
          softmax_row(elements<float>(in[0]) + n * classes, elements<float>(out[0]) + n * classes, classes);
        }
      },
      0);
}

}  // namespace tpn::cpu
