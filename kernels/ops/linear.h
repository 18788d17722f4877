// Fully connected layer: y = x weight^T + bias.
#pragma once

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Inputs: x (N,C), weight (K,C), bias (K). Output: y (N,K).
struct Linear {
  static constexpr std::string_view name = "linear";

  bool operator==(const Linear&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 3);
    check_matrix(name, inputs, 0);
    check_input(name, inputs, 1, Kind::weight, 2);
    const Shape& x = inputs[0].shape;
    const std::int64_t classes = inputs[1].shape[0];
    check_spec(name, inputs, 1, weight({classes, x[1]}));
    check_spec(name, inputs, 2, per_channel(classes));
    return {matrix({x[0], classes})};
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

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                                  std::span<const TensorSpec> outputs) {
    return outputs[0].shape.count() * inputs[0].shape[1];
  }

  static std::vector<Case<Linear>> cases() {
    return {{"small", {}, {matrix({3, 20}), weight({7, 20}), per_channel(7)}},
            {"vectors", {}, {matrix({2, 64}), weight({33, 64}), per_channel(33)}},
            {"shared_out", {}, {matrix({2, 1000}), weight({40, 1000}), per_channel(40)}}};
  }
};

}  // namespace tpn::ops
