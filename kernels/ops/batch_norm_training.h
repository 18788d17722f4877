// Batch normalisation with the statistics of the batch, with what usually follows it: the addition of a
// shortcut, and ReLU.
#pragma once

#include <cmath>

#include "kernels/ops/op.h"
#include "kernels/ops/relu.h"

namespace tpn::ops {

/// What follows a batch norm at once: y = norm(x), + residual, max(., 0).
struct NormEpilogue {
  bool residual = false;  ///< the last input, shaped as x, is added
  bool relu = false;

  bool operator==(const NormEpilogue&) const = default;

  [[nodiscard]] double apply(double normalized, const Tensor64* added, std::size_t i) const {
    const double sum = residual ? normalized + added->data[i] : normalized;
    return relu && sum < 0 ? 0 : sum;
  }
};

/// Over the n = N T H W pixels of each channel: mean = sum(x) / n, variance = sum((x - mean)^2) / n,
/// y = (x - mean) / sqrt(variance + eps) * scale + shift, then the epilogue. The running statistics move
/// towards them by the momentum, the variance towards the unbiased one, n / (n - 1) times as large, as
/// PyTorch does it. Inputs: x (N,T,H,W,C); scale, shift, running mean, running variance, each (C); batches
/// seen, () i64; with a residual, that. Outputs: y, shaped as x; mean and 1 / sqrt(variance + eps), each (C);
/// the inputs 3 to 5, updated.
struct BatchNormTraining {
  static constexpr std::string_view name = "batch_norm_training";

  double eps = 1e-5;
  double momentum = 0.1;
  NormEpilogue epilogue = {};

  bool operator==(const BatchNormTraining&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, epilogue.residual ? 7 : 6);
    check_activation(name, inputs, 0);
    const Shape& x = inputs[0].shape;
    const TensorSpec channels = per_channel(x[4]);
    for (std::size_t i = 1; i < 5; ++i) check_spec(name, inputs, i, channels);
    check_spec(name, inputs, 5, indices({}, DType::i64));
    if (epilogue.residual) check_spec(name, inputs, 6, inputs[0]);
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
        const double normalized = (x.data[i] - mean) * inverse_std * inputs[1].data[c] + inputs[2].data[c];
        outputs[0].data[i] = epilogue.apply(normalized, &inputs.back(), i);
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

  template <class Values>
  [[nodiscard]] auto recompute(const Values& values) const;
  template <class Gradients>
  void differentiate(Gradients& g) const;

  static std::vector<Case<BatchNormTraining>> cases() {
    using R = Range;
    const std::vector<R> ranges{R::symmetric, R::positive, R::symmetric, R::symmetric, R::positive};
    const auto inputs = [](const Shape& x, bool residual = false) {
      const TensorSpec channels = per_channel(x[4]);
      std::vector<TensorSpec> all{activation(x), channels, channels,
                                  channels,      channels, indices({}, DType::i64)};
      if (residual) all.push_back(activation(x));
      return all;
    };
    return {{"vectors", {}, inputs({2, 3, 4, 5, 32}), ranges},
            {"tail", {}, inputs({1, 2, 3, 2, 13}), ranges},
            {"two_pixels", {.eps = 0.1}, inputs({1, 1, 1, 2, 4}), ranges},
            {"momentum", {.momentum = 0.5}, inputs({1, 2, 26, 50, 13}), ranges},
            {"relu", {.epilogue = {.relu = true}}, inputs({1, 2, 5, 4, 19}), ranges},
            {"residual", {.epilogue = {.residual = true}}, inputs({1, 2, 3, 5, 16}, true), ranges},
            {"residual_relu",
             {.epilogue = {.residual = true, .relu = true}},
             inputs({2, 2, 4, 3, 24}, true),
             ranges},
            {"res2", {.epilogue = {.relu = true}}, inputs({1, 8, 64, 64, 256}), ranges, true}};
  }
};

/// The y of BatchNormTraining again, from the statistics that it found.
/// Inputs: x (N,T,H,W,C); scale, shift, mean, 1 / sqrt(variance + eps), each (C); with a residual, that,
/// shaped as x. Output: y, shaped as x.
struct BatchNormApply {
  static constexpr std::string_view name = "batch_norm_apply";

  NormEpilogue epilogue = {};

  bool operator==(const BatchNormApply&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, epilogue.residual ? 6 : 5);
    check_activation(name, inputs, 0);
    for (std::size_t i = 1; i < 5; ++i) check_spec(name, inputs, i, per_channel(inputs[0].shape[4]));
    if (epilogue.residual) check_spec(name, inputs, 5, inputs[0]);
    return {inputs[0]};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const std::vector<double>& x = inputs[0].data;
    const auto channels = static_cast<std::size_t>(inputs[0].shape[4]);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = i % channels;
      const double normalized =
          (x[i] - inputs[3].data[c]) * inputs[4].data[c] * inputs[1].data[c] + inputs[2].data[c];
      outputs[0].data[i] = epilogue.apply(normalized, &inputs.back(), i);
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  /// Of every case of BatchNormTraining.
  static std::vector<Case<BatchNormApply>> cases() {
    std::vector<Case<BatchNormApply>> result;
    for (const Case<BatchNormTraining>& c : BatchNormTraining::cases()) {
      std::vector<TensorSpec> inputs(c.inputs.begin(), c.inputs.begin() + 5);
      if (c.op.epilogue.residual) inputs.push_back(c.inputs.back());
      result.emplace_back(c.label, BatchNormApply{c.op.epilogue}, std::move(inputs), c.ranges, c.full_size);
    }
    return result;
  }
};

template <class Values>
auto BatchNormTraining::recompute(const Values& values) const {
  std::vector inputs{values.input(0), values.input(1), values.input(2), values.output(1), values.output(2)};
  if (epilogue.residual) inputs.push_back(values.input(6));
  return values.apply(BatchNormApply{epilogue}, std::move(inputs));
}

/// The gradients of the batch norm in BatchNormTraining. With xhat = (x - mean) * inverse_std:
/// dshift = sum(dy), dscale = sum(dy xhat). x acts on y directly, through the mean and through the variance;
/// summed up, dx = scale * inverse_std * (dy - dshift / n - xhat * dscale / n). With relu, y was
/// max(norm(x), 0), and dy counts as 0 where norm(x) = xhat * scale + shift, which is made again, is not
/// above 0; NaN lets it through.
/// Inputs: dy, x (N,T,H,W,C); scale, mean, inverse_std and, with relu, shift, each (C). Outputs: dx, shaped
/// as x; dscale, dshift.
struct BatchNormGradient {
  static constexpr std::string_view name = "batch_norm_gradient";

  bool relu = false;

  bool operator==(const BatchNormGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    const std::size_t count = relu ? 6 : 5;
    check_input_count(name, inputs, count);
    check_activation(name, inputs, 0);
    check_spec(name, inputs, 1, inputs[0]);
    const TensorSpec channels = per_channel(inputs[0].shape[4]);
    for (std::size_t i = 2; i < count; ++i) check_spec(name, inputs, i, channels);
    return {inputs[0], channels, channels};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const std::vector<double>& x = inputs[1].data;
    std::vector<double> dy = inputs[0].data;
    const auto channels = static_cast<std::size_t>(inputs[0].shape[4]);
    const auto count = static_cast<double>(dy.size()) / static_cast<double>(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const double scale = inputs[2].data[c], mean = inputs[3].data[c], inverse_std = inputs[4].data[c];
      double dscale = 0, dshift = 0;
      for (std::size_t i = c; i < dy.size(); i += channels) {
        const double xhat = (x[i] - mean) * inverse_std;
        if (relu && xhat * scale + inputs[5].data[c] <= 0) dy[i] = 0;
        dshift += dy[i];
        dscale += dy[i] * xhat;
      }
      for (std::size_t i = c; i < dy.size(); i += channels) {
        const double xhat = (x[i] - mean) * inverse_std;
        outputs[0].data[i] = scale * inverse_std * (dy[i] - dshift / count - xhat * dscale / count);
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
    const auto inputs = [](const Shape& x, bool behind_relu = false) {
      std::vector<TensorSpec> all(2, activation(x));
      all.resize(behind_relu ? 6 : 5, per_channel(x[4]));
      return all;
    };
    return {{"vectors", {}, inputs({2, 3, 4, 5, 32}), ranges},
            {"tail", {}, inputs({1, 2, 3, 2, 13}), ranges},
            {"shared_out", {}, inputs({1, 2, 26, 50, 13}), ranges},
            {"relu", {.relu = true}, inputs({2, 2, 5, 3, 24}, true), ranges},
            {"relu_tail", {.relu = true}, inputs({1, 3, 3, 5, 19}, true), ranges},
            {"res2", {.relu = true}, inputs({1, 8, 64, 64, 256}, true), ranges, true}};
  }
};

/// A residual has the gradient of the sum, which, behind a ReLU, is needed as a tensor of its own; without a
/// residual the batch norm's gradient looks through the ReLU itself.
template <class Gradients>
void BatchNormTraining::differentiate(Gradients& g) const {
  const bool of_norm = g.wants(0) || g.wants(1) || g.wants(2), of_residual = epilogue.residual && g.wants(6);
  if (!of_norm && !of_residual) return;
  auto dy = g.output_gradient();
  if (epilogue.residual && epilogue.relu) dy = g.apply(ReluGradient{}, {dy, g.output(0)})[0];
  if (of_residual) g.set_gradient(6, dy);
  if (!of_norm) return;
  const BatchNormGradient gradient{.relu = epilogue.relu && !epilogue.residual};
  std::vector inputs{dy, g.input(0), g.input(1), g.output(1), g.output(2)};
  if (gradient.relu) inputs.push_back(g.input(2));
  const auto gradients = g.apply(gradient, std::move(inputs));
  for (std::size_t i = 0; i < 3; ++i) {
    if (g.wants(i)) g.set_gradient(i, gradients[i]);
  }
}

}  // namespace tpn::ops
