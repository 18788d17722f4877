#include "kernels/ops/batch_norm.h"

#include "kernels/batch_norm_folding.h"
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
