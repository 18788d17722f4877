#include "kernels/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::Softmax&, const Signature&) {
  return loop_kernel(
      [](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
        const std::int64_t classes = in[0].shape[1];
        for (std::int64_t n = 0; n < in[0].shape[0]; ++n) {
          const float* x = elements<float>(in[0]) + n * classes;
          float* y = elements<float>(out[0]) + n * classes;
          const float top = *std::max_element(x, x + classes);
          double sum = 0;
          for (std::int64_t k = 0; k < classes; ++k) sum += y[k] = std::exp(x[k] - top);
          for (std::int64_t k = 0; k < classes; ++k) y[k] = static_cast<float>(y[k] / sum);
        }
      },
      0);
}

}  // namespace tpn::cpu
