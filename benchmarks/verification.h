// Checks that what is timed computes the right thing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "benchmarks/device.h"
#include "engine/networks/network.h"
#include "kernels/backend.h"
#include "kernels/tensor.h"

namespace tpn::benchmarks {

/// Puts numbers into a batch of views (views, T, H, W, C), f32 or bf16: of mean 0 and variance 1, exact in
/// bf16, and different for each view. View i of the batch gets those of number first_view + i.
void fill_views(const TensorView& batch, std::int64_t first_view = 0);

/// The logits (views, K) of fill_views()' first `size.views` views, computed in f32 without fusing any
/// operations and one view at a time. Nothing of it stays in memory.
std::vector<float> reference_logits(const std::filesystem::path& model, const InputSize& size,
                                    std::shared_ptr<const Backend> backend);

/// How far found logits are from the reference.
struct Verification {
  double deviation = 0;  ///< relative L2; NaN when a NaN is involved
  double tolerance = 0;  ///< the largest deviation that is no error

  [[nodiscard]] bool passed() const { return deviation <= tolerance; }
};

/// Compares logits (views, K) computed in `precision` with the reference of those views or of more.
Verification verify_logits(std::span<const float> found, Precision precision,
                           std::span<const float> reference);

}  // namespace tpn::benchmarks
