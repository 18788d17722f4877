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

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 5);
    check_activation(name, inputs, 0);
    for (std::size_t i = 1; i < 5; ++i) check_spec(name, inputs, i, per_channel(inputs[0].shape[4]));
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

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  template <class Values>
  [[nodiscard]] auto recompute(const Values& values) const {
    return values.apply(*this, values.inputs());
  }
  template <class Gradients>
  void differentiate(Gradients& g) const;

  static std::vector<Case<BatchNorm>> cases() {
    using R = Range;
    const std::vector<R> ranges{R::symmetric, R::positive, R::symmetric, R::symmetric, R::positive};
    const auto inputs = [](const Shape& x) {
      const TensorSpec channels = per_channel(x[4]);
      return std::vector<TensorSpec>{activation(x), channels, channels, channels, channels};
    };
    return {{"vectors", {}, inputs({2, 3, 4, 5, 32}), ranges},
            {"tail", {}, inputs({1, 2, 3, 2, 13}), ranges},
            {"large_eps", {.eps = 0.1}, inputs({1, 1, 2, 2, 4}), ranges},
            {"shared_out", {}, inputs({1, 2, 26, 50, 13}), ranges},
            {"res2", {}, inputs({1, 8, 64, 64, 256}), ranges, true}};
  }
};

/// The gradients of BatchNorm, whose statistics do not depend on x: dx = dy scale / sqrt(variance + eps),
/// dscale = sum(dy (x - mean)) / sqrt(variance + eps), dshift = sum(dy).
/// Inputs: dy, x (N,T,H,W,C); scale, mean, variance, each (C). Outputs: dx, shaped as x; dscale, dshift.
struct FrozenBatchNormGradient {
  static constexpr std::string_view name = "frozen_batch_norm_gradient";

  double eps = 1e-5;

  bool operator==(const FrozenBatchNormGradient&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 5);
    check_activation(name, inputs, 0);
    check_spec(name, inputs, 1, inputs[0]);
    const TensorSpec channels = per_channel(inputs[0].shape[4]);
    for (std::size_t i = 2; i < 5; ++i) check_spec(name, inputs, i, channels);
    return {inputs[0], channels, channels};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const std::vector<double>&dy = inputs[0].data, &x = inputs[1].data;
    const auto channels = static_cast<std::size_t>(inputs[0].shape[4]);
    for (std::size_t i = 0; i < dy.size(); ++i) {
      const std::size_t c = i % channels;
      const double inverse_std = 1 / std::sqrt(inputs[4].data[c] + eps);
      outputs[0].data[i] = dy[i] * inputs[2].data[c] * inverse_std;
      outputs[1].data[c] += dy[i] * (x[i] - inputs[3].data[c]) * inverse_std;
      outputs[2].data[c] += dy[i];
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<FrozenBatchNormGradient>> cases() {
    using R = Range;
    const std::vector<R> ranges{R::symmetric, R::symmetric, R::positive, R::symmetric, R::positive};
    const auto inputs = [](const Shape& x) {
      const TensorSpec channels = per_channel(x[4]);
      return std::vector<TensorSpec>{activation(x), activation(x), channels, channels, channels};
    };
    return {{"vectors", {}, inputs({2, 3, 4, 5, 32}), ranges},
            {"tail", {}, inputs({1, 2, 3, 2, 13}), ranges},
            {"shared_out", {}, inputs({1, 2, 26, 50, 13}), ranges},
            {"res2", {}, inputs({1, 8, 64, 64, 256}), ranges, true}};
  }
};

template <class Gradients>
void BatchNorm::differentiate(Gradients& g) const {
  if (g.wants(3) || g.wants(4)) throw Error("batch_norm: its statistics have no gradient.");
  if (!g.wants(0) && !g.wants(1) && !g.wants(2)) return;
  const auto gradients = g.apply(FrozenBatchNormGradient{eps},
                                 {g.output_gradient(), g.input(0), g.input(1), g.input(3), g.input(4)});
  for (std::size_t i = 0; i < 3; ++i) {
    if (g.wants(i)) g.set_gradient(i, gradients[i]);
  }
}

}  // namespace tpn::ops
