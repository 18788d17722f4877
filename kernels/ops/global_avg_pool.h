// Mean over frames and pixels.
#pragma once

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x (N,T,H,W,C). Output: y (N,C).
struct GlobalAvgPool {
  static constexpr std::string_view name = "global_avg_pool";

  bool operator==(const GlobalAvgPool&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    return {matrix({inputs[0].shape[0], inputs[0].shape[4]})};
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

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  template <class Gradients>
  void differentiate(Gradients& g) const;

  static std::vector<Case<GlobalAvgPool>> cases() {
    return {{"vectors", {}, {activation({2, 2, 3, 4, 32})}}, {"tail", {}, {activation({3, 1, 2, 2, 11})}}};
  }
};

/// The gradient of GlobalAvgPool: each of the T H W pixels has 1 / (T H W) of its channel's.
/// Input: dy (N,C). Output: dx (N,T,H,W,C).
struct GlobalAvgPoolGradient {
  static constexpr std::string_view name = "global_avg_pool_gradient";

  Extent3 size{1, 1, 1};  ///< (T, H, W)

  bool operator==(const GlobalAvgPoolGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_matrix(name, inputs, 0);
    const Shape& y = inputs[0].shape;
    return {activation({y[0], size[0], size[1], size[2], y[1]})};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const std::int64_t cells = size[0] * size[1] * size[2], channels = inputs[0].shape[1];
    for (std::size_t i = 0; i < outputs[0].data.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i), n = at / channels / cells;
      outputs[0].data[i] =
          inputs[0].data[static_cast<std::size_t>(n * channels + at % channels)] / static_cast<double>(cells);
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<GlobalAvgPoolGradient>> cases() {
    return {{"vectors", {.size = {2, 3, 4}}, {matrix({2, 32})}},
            {"tail", {.size = {1, 2, 2}}, {matrix({3, 11})}}};
  }
};

template <class Gradients>
void GlobalAvgPool::differentiate(Gradients& g) const {
  if (!g.wants(0)) return;
  const Shape x = g.input_spec(0).shape;
  g.set_gradient(0, g.apply(GlobalAvgPoolGradient{{x[1], x[2], x[3]}}, {g.output_gradient()})[0]);
}

}  // namespace tpn::ops
