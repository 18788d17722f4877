// Softmax over classes: y_k = exp(x_k - max x) / sum_j exp(x_j - max x).
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x (N,K). Output: y (N,K).
struct Softmax {
  static constexpr std::string_view name = "softmax";

  bool operator==(const Softmax&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 1);
    check_matrix(name, inputs, 0);
    return {inputs[0]};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const std::size_t rows = static_cast<std::size_t>(inputs[0].shape[0]),
                      classes = static_cast<std::size_t>(inputs[0].shape[1]);
    for (std::size_t n = 0; n < rows; ++n) {
      const double* x = inputs[0].data.data() + n * classes;
      double* y = outputs[0].data.data() + n * classes;
      const double top = *std::max_element(x, x + classes);
      double sum = 0;
      for (std::size_t k = 0; k < classes; ++k) sum += y[k] = std::exp(x[k] - top);
      for (std::size_t k = 0; k < classes; ++k) y[k] /= sum;
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<Softmax>> cases() {
    return {{"rows", {}, {matrix({3, 17})}}, {"one_class", {}, {matrix({2, 1})}}};
  }
};

}  // namespace tpn::ops
