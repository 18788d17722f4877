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

  template <class Values>
  [[nodiscard]] auto recompute(const Values& values) const {
    return values.apply(*this, values.inputs());
  }
  template <class Gradients>
  void differentiate(Gradients& g) const;

  static std::vector<Case<Relu>> cases() {
    return {{"vectors", {}, {activation({2, 3, 4, 5, 32})}},
            {"tail", {}, {activation({1, 1, 3, 5, 7})}},
            {"shared_out", {}, {activation({1, 2, 17, 33, 33})}},
            {"res2", {}, {activation({1, 8, 64, 64, 256})}, {}, true}};
  }
};

/// The gradient of Relu: dx = dy where y > 0, else 0; where y is NaN, dy.
/// Inputs: dy, y, of one shape. Output: dx, shaped as they are.
struct ReluGradient {
  static constexpr std::string_view name = "relu_gradient";

  bool operator==(const ReluGradient&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 2);
    check_spec(name, inputs, 1, inputs[0]);
    return {inputs[0]};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    std::ranges::transform(inputs[0].data, inputs[1].data, outputs[0].data.begin(),
                           [](double dy, double y) { return y <= 0 ? 0 : dy; });
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<ReluGradient>> cases() {
    const auto same = [](const Shape& x) { return std::vector<TensorSpec>(2, activation(x)); };
    return {{"vectors", {}, same({2, 3, 4, 5, 32})},
            {"tail", {}, same({1, 1, 3, 5, 7})},
            {"shared_out", {}, same({1, 2, 17, 33, 33})},
            {"res2", {}, same({1, 8, 64, 64, 256}), {}, true}};
  }
};

template <class Gradients>
void Relu::differentiate(Gradients& g) const {
  if (g.wants(0)) g.set_gradient(0, g.apply(ReluGradient{}, {g.output_gradient(), g.output(0)})[0]);
}

}  // namespace tpn::ops
