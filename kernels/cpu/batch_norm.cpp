#include "kernels/ops/batch_norm.h"

#include <algorithm>
#include <string>

#include "kernels/batch_norm_folding.h"
#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/pixel_rows.h"

namespace tpn::cpu {
namespace {

/// Scale, then shift, (C) each.
class NormPacking final : public Packing {
 public:
  NormPacking(const ops::BatchNorm& op, std::span<const Operand> operands)
      : Packing("cpu " + norm_key(op.eps), operands, {1, 2, 3, 4},
                2 * static_cast<std::size_t>(operands[1].shape.count()) * sizeof(float)),
        eps_(op.eps),
        variance_(operands[4].name) {}

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream&) const override {
    const FoldedNorm folded = fold_batch_norm(sources, eps_);
    auto* const to = reinterpret_cast<float*>(packed);
    std::copy(folded.shift.begin(), folded.shift.end(),
              std::copy(folded.scale.begin(), folded.scale.end(), to));
  }
  void check(std::span<const ConstTensorView> sources) const override {
    check_batch_norm(sources, eps_, variance_);
  }

 private:
  double eps_;
  std::string variance_;
};

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNorm& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel(
        [](std::span<const ConstTensorView> in, std::span<const TensorView> out,
           std::span<const std::byte* const> packed) {
          const std::int64_t channels = in[0].shape[4], cells = in[0].shape.count() / channels;
          const auto* const scale = reinterpret_cast<const float*>(packed[0]);
          const float* const shift = scale + channels;
          parallel_for(cells, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t cell = begin; cell < end; ++cell) {
              scale_and_shift(elements<T>(in[0]) + cell * channels, scale, shift,
                              elements<T>(out[0]) + cell * channels, channels);
            }
          });
        },
        0, {std::make_shared<const NormPacking>(op, s.inputs)});
  });
}

}  // namespace tpn::cpu
