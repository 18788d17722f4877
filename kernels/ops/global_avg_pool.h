// Mean over frames and pixels.
#pragma once

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x (N,T,H,W,C). Output: y (N,C).
struct GlobalAvgPool {
  static constexpr std::string_view name = "global_avg_pool";

  bool operator==(const GlobalAvgPool&) const = default;

  [[nodiscard]] static std::vector<Shape> infer(std::span<const Shape> inputs) {
    check_input_count(name, inputs, 1);
    check_rank(name, inputs, 0, 5);
    return {Shape{inputs[0][0], inputs[0][4]}};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const Tensor64& x = inputs[0];
    const std::int64_t cells = x.shape[1] * x.shape[2] * x.shape[3];
    for (std::int64_t n = 0; n < x.shape[0]; ++n)
      for (std::int64_t c = 0; c < x.shape[4]; ++c) {
        double sum = 0;
        for (std::int64_t cell = 0; cell < cells; ++cell) {
          sum += x.data[static_cast<std::size_t>((n * cells + cell) * x.shape[4] + c)];
        }
        outputs[0].data[static_cast<std::size_t>(n * x.shape[4] + c)] = sum / static_cast<double>(cells);
      }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const Shape>, std::span<const Shape>) {
    return 0;
  }

  static std::vector<Case<GlobalAvgPool>> cases() {
    return {{"vectors", {}, {{2, 2, 3, 4, 32}}}, {"tail", {}, {{3, 1, 2, 2, 11}}}};
  }
};

}  // namespace tpn::ops
