#include "benchmarks/verification.h"

#include <cmath>

#include "engine/exec/executor.h"
#include "engine/model/weights.h"
#include "kernels/convert.h"
#include "kernels/half.h"
#include "kernels/verify/tolerance.h"

namespace tpn::benchmarks {

void fill_views(const TensorView& batch, std::int64_t first_view) {
  const std::int64_t views = batch.shape[0];
  const auto count = static_cast<std::size_t>(batch.shape.count() / views);
  const float bound = std::sqrt(3.0F);  // uniform in [-bound, bound] has variance 1
  std::vector<float> values(count);
  for (std::int64_t i = 0; i < views; ++i) {
    // A linear congruential sequence, because the input is made anew before every run.
    auto state = static_cast<std::uint32_t>(first_view + i) * 2654435761U + 1;
    for (float& value : values) {
      state = state * 1664525U + 1013904223U;
      const float unit = static_cast<float>(state >> 8) * 0x1p-24F;
      value = bf16_to_f32(f32_to_bf16(bound * (2 * unit - 1)));
    }
    std::byte* view = batch.data + static_cast<std::size_t>(i) * count * size_of(batch.dtype);
    convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, view, batch.dtype, count);
  }
}

std::vector<float> reference_logits(const std::filesystem::path& model, const InputSize& size,
                                    std::shared_ptr<const Backend> backend) {
  const std::shared_ptr<const Weights> weights = Weights::load(model);
  InputSize one_view = size;
  one_view.views = 1;
  Executor executor(std::make_shared<Plan>(build_network(weights->config(), one_view), std::move(backend),
                                           *weights, PlanOptions{.fuse = false}));
  std::vector<float> logits;
  for (std::int64_t view = 0; view < size.views; ++view) {
    fill_views(executor.input(), view);
    executor.run();
    const std::vector<float> found = to_floats(executor.result("logits"));
    logits.insert(logits.end(), found.begin(), found.end());
  }
  return logits;
}

Verification verify_logits(std::span<const float> found, Precision precision,
                           std::span<const float> reference) {
  double tolerance = verify::network_f32_relative_l2;
  if (precision == Precision::bf16) tolerance = verify::unfused_bf16_relative_l2;
  // tf32 has as many bits of mantissa as f16.
  if (precision == Precision::f16 || precision == Precision::tf32)
    tolerance = verify::unfused_f16_relative_l2;
  return {.deviation = verify::relative_l2(found, reference.first(found.size())), .tolerance = tolerance};
}

}  // namespace tpn::benchmarks
