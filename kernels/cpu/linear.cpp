#include "kernels/ops/linear.h"

#include <array>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE float dot(const float* a, const float* b, std::int64_t count) {
  std::array<float, 16> lanes{};  // independent sums, so that the loop vectorises without reassociation
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (std::int64_t j = 0; j < 16; ++j) lanes[static_cast<std::size_t>(j)] += a[i + j] * b[i + j];
  }
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Linear&, const Signature&) {
  return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const float *weight = elements<float>(in[1]), *bias = elements<float>(in[2]);  // (K,C), (K)
    const std::int64_t depth = in[0].shape[1], classes = out[0].shape[1];
    for (std::int64_t n = 0; n < in[0].shape[0]; ++n) {
      const float* x = elements<float>(in[0]) + n * depth;
      float* y = elements<float>(out[0]) + n * classes;
      parallel_for(classes, elementwise_grain / depth + 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) {
          y[k] = dot(x, weight + k * depth, depth) + bias[k];
        }
      });
    }
  });
}

}  // namespace tpn::cpu
