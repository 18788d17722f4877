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

  template <class Gradients>
  void differentiate(Gradients& g) const;

  static std::vector<Case<Linear>> cases() {
    return {{"small", {}, {matrix({3, 20}), weight({7, 20}), per_channel(7)}},
            {"vectors", {}, {matrix({2, 64}), weight({33, 64}), per_channel(33)}},
            {"shared_out", {}, {matrix({2, 1000}), weight({40, 1000}), per_channel(40)}}};
  }
};

/// The gradient of Linear with respect to x: dx = dy weight.
/// Inputs: dy (N,K), weight (K,C). Output: dx (N,C).
struct LinearDataGradient {
  static constexpr std::string_view name = "linear_data_gradient";

  bool operator==(const LinearDataGradient&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 2);
    check_matrix(name, inputs, 0);
    check_input(name, inputs, 1, Kind::weight, 2);
    check_spec(name, inputs, 1, weight({inputs[0].shape[1], inputs[1].shape[1]}));
    return {matrix({inputs[0].shape[0], inputs[1].shape[1]})};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const auto classes = static_cast<std::size_t>(inputs[1].shape[0]),
               depth = static_cast<std::size_t>(inputs[1].shape[1]);
    for (std::size_t i = 0; i < outputs[0].data.size(); ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < classes; ++k) {
        sum += inputs[0].data[i / depth * classes + k] * inputs[1].data[k * depth + i % depth];
      }
      outputs[0].data[i] = sum;
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                                  std::span<const TensorSpec>) {
    return inputs[0].shape[0] * inputs[1].shape.count();
  }

  static std::vector<Case<LinearDataGradient>> cases() {
    return {{"small", {}, {matrix({3, 7}), weight({7, 20})}},
            {"vectors", {}, {matrix({2, 33}), weight({33, 64})}},
            {"shared_out", {}, {matrix({2, 40}), weight({40, 1000})}}};
  }
};

/// The gradient of Linear with respect to its weight: dweight = dy^T x.
/// Inputs: dy (N,K), x (N,C). Output: dweight (K,C).
struct LinearWeightGradient {
  static constexpr std::string_view name = "linear_weight_gradient";

  bool operator==(const LinearWeightGradient&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 2);
    check_matrix(name, inputs, 0);
    check_spec(name, inputs, 1, matrix({inputs[0].shape[0], inputs[1].shape[1]}));
    return {weight({inputs[0].shape[1], inputs[1].shape[1]})};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const auto rows = static_cast<std::size_t>(inputs[0].shape[0]),
               classes = static_cast<std::size_t>(inputs[0].shape[1]),
               depth = static_cast<std::size_t>(inputs[1].shape[1]);
    for (std::size_t i = 0; i < outputs[0].data.size(); ++i) {
      double sum = 0;
      for (std::size_t n = 0; n < rows; ++n) {
        sum += inputs[0].data[n * classes + i / depth] * inputs[1].data[n * depth + i % depth];
      }
      outputs[0].data[i] = sum;
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                                  std::span<const TensorSpec> outputs) {
    return inputs[0].shape[0] * outputs[0].shape.count();
  }

  static std::vector<Case<LinearWeightGradient>> cases() {
    return {{"small", {}, {matrix({3, 7}), matrix({3, 20})}},
            {"vectors", {}, {matrix({2, 33}), matrix({2, 64})}},
            {"shared_out", {}, {matrix({2, 40}), matrix({2, 1000})}}};
  }
};

/// The gradient of Linear with respect to its bias: dbias = sum over n of dy.
/// Input: dy (N,K). Output: dbias (K).
struct LinearBiasGradient {
  static constexpr std::string_view name = "linear_bias_gradient";

  bool operator==(const LinearBiasGradient&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 1);
    check_matrix(name, inputs, 0);
    return {per_channel(inputs[0].shape[1])};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const std::size_t classes = outputs[0].data.size();
    for (std::size_t i = 0; i < inputs[0].data.size(); ++i) outputs[0].data[i % classes] += inputs[0].data[i];
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<LinearBiasGradient>> cases() {
    return {{"small", {}, {matrix({3, 7})}}, {"vectors", {}, {matrix({2, 33})}}};
  }
};

template <class Gradients>
void Linear::differentiate(Gradients& g) const {
  const auto dy = g.output_gradient();
  if (g.wants(0)) g.set_gradient(0, g.apply(LinearDataGradient{}, {dy, g.input(1)})[0]);
  if (g.wants(1)) g.set_gradient(1, g.apply(LinearWeightGradient{}, {dy, g.input(0)})[0]);
  if (g.wants(2)) g.set_gradient(2, g.apply(LinearBiasGradient{}, {dy})[0]);
}

}  // namespace tpn::ops
