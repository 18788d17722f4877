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

/// Batch norm with the statistics of the batch, over the n = N T H W pixels of each channel: mean = sum(x) /
/// n, variance = sum((x - mean)^2) / n, y = (x - mean) / sqrt(variance + eps) * scale + shift. The running
/// statistics move towards them by the momentum, the variance towards the unbiased one, n / (n - 1) times as
/// large, as PyTorch does it.
/// Inputs: x (N,T,H,W,C); scale, shift, running mean, running variance, each (C); batches seen, () i64.
/// Outputs: y, shaped as x; mean and 1 / sqrt(variance + eps), each (C); the last three inputs, updated.
struct BatchNormTraining {
  static constexpr std::string_view name = "batch_norm_training";

  double eps = 1e-5;
  double momentum = 0.1;

  bool operator==(const BatchNormTraining&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 6);
    check_activation(name, inputs, 0);
    const Shape& x = inputs[0].shape;
    const TensorSpec channels = per_channel(x[4]);
    for (std::size_t i = 1; i < 5; ++i) check_spec(name, inputs, i, channels);
    check_spec(name, inputs, 5, indices({}, DType::i64));
    if (x.count() / x[4] < 2) {
      throw Error("batch_norm_training: there is one value for each channel, which has no variance.");
    }
    return {inputs[0], channels, channels, channels, channels, inputs[5]};
  }

  static std::vector<Alias> aliases(std::size_t) { return {{3, 3}, {4, 4}, {5, 5}}; }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64& x = inputs[0];
    const auto channels = static_cast<std::size_t>(x.shape[4]);
    const auto count = static_cast<double>(x.data.size()) / static_cast<double>(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      double sum = 0, squares = 0;
      for (std::size_t i = c; i < x.data.size(); i += channels) sum += x.data[i];
      const double mean = sum / count;
      for (std::size_t i = c; i < x.data.size(); i += channels) {
        squares += (x.data[i] - mean) * (x.data[i] - mean);
      }
      const double inverse_std = 1 / std::sqrt(squares / count + eps);
      for (std::size_t i = c; i < x.data.size(); i += channels) {
        outputs[0].data[i] = (x.data[i] - mean) * inverse_std * inputs[1].data[c] + inputs[2].data[c];
      }
      outputs[1].data[c] = mean;
      outputs[2].data[c] = inverse_std;
      outputs[3].data[c] = (1 - momentum) * inputs[3].data[c] + momentum * mean;
      outputs[4].data[c] = (1 - momentum) * inputs[4].data[c] + momentum * squares / (count - 1);
    }
    outputs[5].data[0] = inputs[5].data[0] + 1;
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<BatchNormTraining>> cases() {
    using R = Range;
    const std::vector<R> ranges{R::symmetric, R::positive, R::symmetric, R::symmetric, R::positive};
    const auto inputs = [](const Shape& x) {
      const TensorSpec channels = per_channel(x[4]);
      return std::vector<TensorSpec>{activation(x), channels, channels,
                                     channels,      channels, indices({}, DType::i64)};
    };
    return {{"vectors", {}, inputs({2, 3, 4, 5, 32}), ranges},
            {"tail", {}, inputs({1, 2, 3, 2, 13}), ranges},
            {"two_pixels", {.eps = 0.1}, inputs({1, 1, 1, 2, 4}), ranges},
            {"momentum", {.momentum = 0.5}, inputs({1, 2, 26, 50, 13}), ranges},
            {"res2", {}, inputs({1, 8, 64, 64, 256}), ranges, true}};
  }

  template <class Gradients>
  void differentiate(Gradients& g) const;
};

/// The gradients of BatchNormTraining. With xhat = (x - mean) * inverse_std: dshift = sum(dy),
/// dscale = sum(dy xhat). x acts on y directly, through the mean and through the variance; summed up,
/// dx = scale * inverse_std * (dy - dshift / n - xhat * dscale / n).
/// Inputs: dy, x (N,T,H,W,C); scale, mean, inverse_std, each (C). Outputs: dx, shaped as x; dscale, dshift.
struct BatchNormGradient {
  static constexpr std::string_view name = "batch_norm_gradient";

  bool operator==(const BatchNormGradient&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 5);
    check_activation(name, inputs, 0);
    check_spec(name, inputs, 1, inputs[0]);
    const TensorSpec channels = per_channel(inputs[0].shape[4]);
    for (std::size_t i = 2; i < 5; ++i) check_spec(name, inputs, i, channels);
    return {inputs[0], channels, channels};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const std::vector<double>&dy = inputs[0].data, &x = inputs[1].data;
    const auto channels = static_cast<std::size_t>(inputs[0].shape[4]);
    const auto count = static_cast<double>(dy.size()) / static_cast<double>(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const double mean = inputs[3].data[c], inverse_std = inputs[4].data[c];
      double dscale = 0, dshift = 0;
      for (std::size_t i = c; i < dy.size(); i += channels) {
        dshift += dy[i];
        dscale += dy[i] * (x[i] - mean) * inverse_std;
      }
      for (std::size_t i = c; i < dy.size(); i += channels) {
        const double xhat = (x[i] - mean) * inverse_std;
        outputs[0].data[i] =
            inputs[2].data[c] * inverse_std * (dy[i] - dshift / count - xhat * dscale / count);
      }
      outputs[1].data[c] = dscale;
      outputs[2].data[c] = dshift;
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<BatchNormGradient>> cases() {
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
void BatchNormTraining::differentiate(Gradients& g) const {
  if (!g.wants(0) && !g.wants(1) && !g.wants(2)) return;
  const auto gradients =
      g.apply(BatchNormGradient{}, {g.output_gradient(), g.input(0), g.input(1), g.output(1), g.output(2)});
  for (std::size_t i = 0; i < 3; ++i) {
    if (g.wants(i)) g.set_gradient(i, gradients[i]);
  }
}

/// The gradients of BatchNorm, whose statistics do not depend on x: dx = dy scale / sqrt(variance + eps),
/// dscale = sum(dy (x - mean)) / sqrt(variance + eps), dshift = sum(dy).
/// Inputs: dy, x (N,T,H,W,C); scale, mean, variance, each (C). Outputs: dx, shaped as x; dscale, dshift.
struct FrozenBatchNormGradient {
  static constexpr std::string_view name = "frozen_batch_norm_gradient";

  double eps = 1e-5;

  bool operator==(const FrozenBatchNormGradient&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    return BatchNormGradient::infer(inputs);
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
    std::vector<Case<FrozenBatchNormGradient>> result;
    for (const Case<BatchNormGradient>& c : BatchNormGradient::cases()) {
      result.emplace_back(c.label, FrozenBatchNormGradient{}, c.inputs, c.ranges, c.full_size);
    }
    return result;
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
