// Gradients of a classifier: (N,C) matrices with few rows.
#include <algorithm>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"
#include "kernels/ops/linear.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE void add_scaled(float factor, const float* x, float* sum, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] += factor * x[i];
}

}  // namespace

// dx[n] = sum over k of dy[n,k] * weight[k].
std::unique_ptr<Kernel> compile(const ops::LinearDataGradient&, const Signature&) {
  return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const std::int64_t rows = in[0].shape[0], classes = in[0].shape[1], depth = in[1].shape[1];
    parallel_for(depth, 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = 0; n < rows; ++n) {
        float* dx = elements<float>(out[0]) + n * depth;
        std::fill(dx + begin, dx + end, 0.0F);
        for (std::int64_t k = 0; k < classes; ++k) {
          add_scaled(elements<float>(in[0])[n * classes + k], elements<float>(in[1]) + k * depth + begin,
                     dx + begin, end - begin);
        }
      }
    });
  });
}

// dweight[k] = sum over n of dy[n,k] * x[n].
std::unique_ptr<Kernel> compile(const ops::LinearWeightGradient&, const Signature&) {
  return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const std::int64_t rows = in[0].shape[0], classes = in[0].shape[1], depth = in[1].shape[1];
    parallel_for(classes, elementwise_grain / depth + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        float* dweight = elements<float>(out[0]) + k * depth;
        std::fill(dweight, dweight + depth, 0.0F);
        for (std::int64_t n = 0; n < rows; ++n) {
          add_scaled(elements<float>(in[0])[n * classes + k], elements<float>(in[1]) + n * depth, dweight,
                     depth);
        }
      }
    });
  });
}

std::unique_ptr<Kernel> compile(const ops::LinearBiasGradient&, const Signature&) {
  return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const std::int64_t rows = in[0].shape[0], classes = in[0].shape[1];
    float* dbias = elements<float>(out[0]);
    std::fill(dbias, dbias + classes, 0.0F);
    for (std::int64_t n = 0; n < rows; ++n) {
      add_scaled(1, elements<float>(in[0]) + n * classes, dbias, classes);
    }
  });
}

}  // namespace tpn::cpu
