// Fully connected layer: y = x weight^T + bias.
#pragma once

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Inputs: x (N,C), weight (K,C), bias (K). Output: y (N,K).
struct Linear {
  static constexpr std::string_view name = "linear";

  bool operator==(const Linear&) const = default;

  [[nodiscard]] static std::vector<Shape> infer(std::span<const Shape> inputs) {
    check_input_count(name, inputs, 3);
    check_rank(name, inputs, 0, 2);
    check_rank(name, inputs, 1, 2);
    check_shape(name, inputs, 1, {inputs[1][0], inputs[0][1]});
    check_shape(name, inputs, 2, {inputs[1][0]});
    return {Shape{inputs[0][0], inputs[1][0]}};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const std::size_t rows = static_cast<std::size_t>(inputs[0].shape[0]),
                      depth = static_cast<std::size_t>(inputs[0].shape[1]),
                      classes = static_cast<std::size_t>(inputs[1].shape[0]);
    for (std::size_t n = 0; n < rows; ++n)
      for (std::size_t k = 0; k < classes; ++k) {
        double sum = inputs[2].data[k];
        for (std::size_t c = 0; c < depth; ++c)
          sum += inputs[0].data[n * depth + c] * inputs[1].data[k * depth + c];
        outputs[0].data[n * classes + k] = sum;
      }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const Shape> inputs,
                                                  std::span<const Shape> outputs) {
    return outputs[0].count() * inputs[0][1];
  }

  static std::vector<Case<Linear>> cases() {
    return {{"small", {}, {{3, 20}, {7, 20}, {7}}},
            {"vectors", {}, {{2, 64}, {33, 64}, {33}}},
            {"shared_out", {}, {{2, 1000}, {40, 1000}, {40}}}};
  }
};

}  // namespace tpn::ops
