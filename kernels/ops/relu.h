// Rectifier: y = max(x, 0); NaN stays.
#pragma once

#include <algorithm>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x, any shape. Output: y, shaped as x.
struct Relu {
  static constexpr std::string_view name = "relu";

  bool operator==(const Relu&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 1);
    return {inputs[0]};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    std::transform(inputs[0].data.begin(), inputs[0].data.end(), outputs[0].data.begin(),
                   [](double x) { return x < 0 ? 0 : x; });
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<Relu>> cases() {
    return {{"vectors", {}, {activation({2, 3, 4, 5, 32})}},
            {"tail", {}, {activation({1, 1, 3, 5, 7})}},
            {"shared_out", {}, {activation({1, 2, 17, 33, 33})}},
            {"res2", {}, {activation({1, 8, 64, 64, 256})}, {}, true}};
  }
};

}  // namespace tpn::ops
