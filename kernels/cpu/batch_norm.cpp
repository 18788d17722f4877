#include "kernels/cpu/batch_norm.h"

#include <cmath>

#include "kernels/convert.h"
#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE void scale_and_shift(const float* x, const float* scale, const float* shift, float* y,
                                   std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * scale[i] + shift[i];
}

TPN_VECTORIZE void scale_and_shift(const Bf16* x, const float* scale, const float* shift, Bf16* y,
                                   std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = Bf16(static_cast<float>(x[i]) * scale[i] + shift[i]);
}

}  // namespace

FoldedNorm fold_batch_norm(std::span<const Operand> operands, double eps) {
  std::array<std::vector<float>, 4> p;  // scale, shift, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    p[i] = to_floats(operands[i].constant->view);
    if (operands[i].constant->release) operands[i].constant->release();
  }
  FoldedNorm folded{std::vector<float>(p[0].size()), std::vector<float>(p[0].size())};
  for (std::size_t c = 0; c < p[0].size(); ++c) {
    const double scale = p[0][c] / std::sqrt(static_cast<double>(p[3][c]) + eps);
    folded.scale[c] = static_cast<float>(scale);
    folded.shift[c] = static_cast<float>(p[1][c] - p[2][c] * scale);
  }
  return folded;
}

std::unique_ptr<Kernel> compile(const ops::BatchNorm& op, const Signature& s) {
  auto folded = s.prepared.get<FoldedNorm>("batch_norm|" + s.inputs[1].constant->name, [&] {
    return std::make_shared<const FoldedNorm>(fold_batch_norm(s.inputs.subspan(1), op.eps));
  });
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel(
        [folded](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
          const std::int64_t channels = in[0].shape[4], cells = in[0].shape.count() / channels;
          parallel_for(cells, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t cell = begin; cell < end; ++cell) {
              scale_and_shift(elements<T>(in[0]) + cell * channels, folded->scale.data(),
                              folded->shift.data(), elements<T>(out[0]) + cell * channels, channels);
            }
          });
        },
        0);
  });
}

}  // namespace tpn::cpu
