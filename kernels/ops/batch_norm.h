// Batch normalisation with running statistics: y = (x - mean) / sqrt(variance + eps) * scale + shift, per
// channel.
#pragma once

#include <cmath>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Inputs: x (N,T,H,W,C); scale, shift, mean, variance, each (C). Output: y, shaped as x.
struct BatchNorm {
  static constexpr std::string_view name = "batch_norm";

  double eps = 1e-5;

  bool operator==(const BatchNorm&) const = default;

  [[nodiscard]] std::vector<Shape> infer(std::span<const Shape> inputs) const {
    check_input_count(name, inputs, 5);
    check_rank(name, inputs, 0, 5);
    for (std::size_t i = 1; i < 5; ++i) check_shape(name, inputs, i, {inputs[0][4]});
    return {inputs[0]};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64& x = inputs[0];
    const std::size_t channels = static_cast<std::size_t>(x.shape[4]);
    for (std::size_t i = 0; i < x.data.size(); ++i) {
      const std::size_t c = i % channels;
      outputs[0].data[i] =
          (x.data[i] - inputs[3].data[c]) / std::sqrt(inputs[4].data[c] + eps) * inputs[1].data[c] +
          inputs[2].data[c];
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const Shape>, std::span<const Shape>) {
    return 0;
  }

  static std::vector<Case<BatchNorm>> cases() {
    using R = Range;
    const std::vector<R> ranges{R::symmetric, R::positive, R::symmetric, R::symmetric, R::positive};
    return {{"vectors", {}, {{2, 3, 4, 5, 32}, {32}, {32}, {32}, {32}}, ranges},
            {"tail", {}, {{1, 2, 3, 2, 13}, {13}, {13}, {13}, {13}}, ranges},
            {"large_eps", {.eps = 0.1}, {{1, 1, 2, 2, 4}, {4}, {4}, {4}, {4}}, ranges},
            {"shared_out", {}, {{1, 2, 26, 50, 13}, {13}, {13}, {13}, {13}}, ranges},
            {"res2", {}, {{1, 8, 64, 64, 256}, {256}, {256}, {256}, {256}}, ranges, true}};
  }
};

}  // namespace tpn::ops
