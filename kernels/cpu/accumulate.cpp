#include "kernels/ops/accumulate.h"

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

/// sum = old + gradient; old may be null, for zeros, or the sum itself.
TPN_VECTORIZE void add_gradient(const float* old, const float* gradient, float* sum, std::int64_t count) {
  if (old == nullptr) {
    for (std::int64_t i = 0; i < count; ++i) sum[i] = gradient[i];
  } else {
    for (std::int64_t i = 0; i < count; ++i) sum[i] = old[i] + gradient[i];
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Accumulate&, const Signature&) {
  return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const bool keep = *elements<float>(in[0]) != 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float *old = elements<float>(in[2 * i + 1]), *gradient = elements<float>(in[2 * i + 2]);
      float* sum = elements<float>(out[i]);
      parallel_for(out[i].shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
        add_gradient(keep ? old + begin : nullptr, gradient + begin, sum + begin, end - begin);
      });
    }
  });
}

}  // namespace tpn::cpu
