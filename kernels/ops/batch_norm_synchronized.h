// Batch normalisation with the statistics of the batches of all processes: BatchNormTraining and its
// gradient, each in two halves with an AllGather between them.
#pragma once

#include <cmath>

#include "kernels/ops/batch_norm_training.h"
#include "kernels/ops/op.h"

namespace tpn::ops {

/// The statistics of one rank's pixels. Inputs: x (N,T,H,W,C); present (): 1, or 0 where the rank has no
/// clips and x only stands for some. Outputs, each (C): pixels = N T H W * present, mean = the mean of x,
/// squares = sum((x - mean)^2) * present.
struct BatchNormMoments {
  static constexpr std::string_view name = "batch_norm_moments";

  bool operator==(const BatchNormMoments&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 2);
    check_activation(name, inputs, 0);
    check_spec(name, inputs, 1, scalar());
    return std::vector<TensorSpec>(3, per_channel(inputs[0].shape[4]));
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const std::vector<double>& x = inputs[0].data;
    const double present = inputs[1].data[0];
    const auto channels = static_cast<std::size_t>(inputs[0].shape[4]);
    const std::size_t of_channel = x.size() / channels;
    const auto pixels = static_cast<double>(of_channel);
    for (std::size_t c = 0; c < channels; ++c) {
      double sum = 0, squares = 0;
      for (std::size_t i = c; i < x.size(); i += channels) sum += x[i];
      const double mean = sum / pixels;
      for (std::size_t i = c; i < x.size(); i += channels) squares += (x[i] - mean) * (x[i] - mean);
      outputs[0].data[c] = pixels * present;
      outputs[1].data[c] = mean;
      outputs[2].data[c] = squares * present;
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<BatchNormMoments>> cases() {
    const std::vector<Range> ranges{Range::symmetric, Range::positive};
    const auto inputs = [](const Shape& x) { return std::vector<TensorSpec>{activation(x), scalar()}; };
    return {{"vectors", {}, inputs({2, 3, 4, 5, 32}), ranges},
            {"tail", {}, inputs({1, 2, 26, 50, 13}), ranges}};
  }
};

/// BatchNormTraining with the moments of all ranks. With n_r pixels, mean_r and squares_r of rank r:
/// n = sum(n_r), mean = sum(n_r mean_r) / n, variance = sum(squares_r + n_r (mean_r - mean)^2) / n.
/// Inputs: the first six of BatchNormTraining; moments (3 R, C), a row each of pixels, mean and squares for
/// each of R ranks; with a residual, that. Outputs: those of BatchNormTraining.
struct BatchNormSynchronized {
  static constexpr std::string_view name = "batch_norm_synchronized";

  BatchNormTraining norm;

  bool operator==(const BatchNormSynchronized&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, norm.epilogue.residual ? 8 : 7);
    check_matrix(name, inputs, 6);
    std::vector<TensorSpec> of_norm(inputs.begin(), inputs.end());
    of_norm.erase(of_norm.begin() + 6);
    std::vector<TensorSpec> outputs = norm.infer(of_norm);
    if (inputs[6].shape[0] % 3 != 0 || inputs[6].shape[1] != inputs[0].shape[4]) {
      throw Error("batch_norm_synchronized: the moments must have three rows for each rank.");
    }
    return outputs;
  }

  static std::vector<Alias> aliases(std::size_t inputs) { return BatchNormTraining::aliases(inputs); }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const std::vector<double>&x = inputs[0].data, &moments = inputs[6].data;
    const auto channels = static_cast<std::size_t>(inputs[0].shape[4]);
    for (std::size_t c = 0; c < channels; ++c) {
      double pixels = 0, sum = 0, squares = 0;
      for (std::size_t r = c; r < moments.size(); r += 3 * channels) {
        pixels += moments[r];
        sum += moments[r] * moments[r + channels];
      }
      const double mean = sum / pixels;
      for (std::size_t r = c; r < moments.size(); r += 3 * channels) {
        const double distance = moments[r + channels] - mean;
        squares += moments[r + 2 * channels] + moments[r] * distance * distance;
      }
      const double inverse_std = 1 / std::sqrt(squares / pixels + norm.eps);
      for (std::size_t i = c; i < x.size(); i += channels) {
        const double normalized = (x[i] - mean) * inverse_std * inputs[1].data[c] + inputs[2].data[c];
        outputs[0].data[i] = norm.epilogue.apply(normalized, &inputs.back(), i);
      }
      outputs[1].data[c] = mean;
      outputs[2].data[c] = inverse_std;
      outputs[3].data[c] = (1 - norm.momentum) * inputs[3].data[c] + norm.momentum * mean;
      outputs[4].data[c] = (1 - norm.momentum) * inputs[4].data[c] + norm.momentum * squares / (pixels - 1);
    }
    outputs[5].data[0] = inputs[5].data[0] + 1;
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  /// Ranks have whole numbers of pixels; the first of three has none.
  static void constrain(std::span<Tensor64> inputs) {
    std::vector<double>& moments = inputs[6].data;
    const auto channels = static_cast<std::size_t>(inputs[6].shape[1]);
    const std::size_t ranks = moments.size() / channels / 3;
    for (std::size_t r = 0; r < ranks; ++r) {
      const double pixels = ranks == 3 && r == 0 ? 0 : static_cast<double>(20 + 7 * r);
      for (std::size_t c = 0; c < channels; ++c) {
        moments[3 * r * channels + c] = pixels;
        double& squares = moments[(3 * r + 2) * channels + c];
        squares = pixels * std::abs(squares);
      }
    }
  }

  static std::vector<Case<BatchNormSynchronized>> cases() {
    using R = Range;
    const std::vector<R> ranges{R::symmetric, R::positive, R::symmetric, R::symmetric, R::positive};
    const auto inputs = [](const Shape& x, std::int64_t ranks, bool residual = false) {
      const TensorSpec channels = per_channel(x[4]);
      std::vector<TensorSpec> all{activation(x),
                                  channels,
                                  channels,
                                  channels,
                                  channels,
                                  indices({}, DType::i64),
                                  matrix({3 * ranks, x[4]})};
      if (residual) all.push_back(activation(x));
      return all;
    };
    return {{"one_rank", {}, inputs({2, 3, 4, 5, 32}, 1), ranges},
            {"two_ranks", {{.epilogue = {.relu = true}}}, inputs({1, 2, 5, 4, 19}, 2), ranges},
            {"three_ranks",
             {{.momentum = 0.5, .epilogue = {.residual = true, .relu = true}}},
             inputs({2, 2, 4, 3, 24}, 3, true),
             ranges}};
  }
};

/// The sums of BatchNormGradient over one rank's pixels: its inputs, and its outputs without dx.
struct BatchNormGradientSums {
  static constexpr std::string_view name = "batch_norm_gradient_sums";

  bool relu = false;

  bool operator==(const BatchNormGradientSums&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    const std::vector<TensorSpec> all = BatchNormGradient{relu}.infer(inputs);
    return {all[1], all[2]};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    std::vector<Tensor64> all{Tensor64(inputs[0].shape), outputs[0], outputs[1]};
    BatchNormGradient{relu}.forward(inputs, all);
    outputs[0] = all[1];
    outputs[1] = all[2];
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  /// Of every case of BatchNormGradient.
  static std::vector<Case<BatchNormGradientSums>> cases() {
    std::vector<Case<BatchNormGradientSums>> result;
    for (const Case<BatchNormGradient>& c : BatchNormGradient::cases()) {
      result.emplace_back(c.label, BatchNormGradientSums{c.op.relu}, c.inputs, c.ranges, c.full_size);
    }
    return result;
  }
};

/// dx of BatchNormGradient with the sums over the pixels of all ranks: dscale, dshift and n there are
/// sum(dscale_r), sum(dshift_r) and sum(n_r). Where the rank's pixels do not count, dx is 0. Inputs: dy, x,
/// scale, mean, inverse_std, as of BatchNormGradient; sums (2 R, C), a row each of dscale and dshift for each
/// of R ranks; moments (3 R, C), as of BatchNormSynchronized; present (), as of BatchNormMoments; with relu,
/// shift. Output: dx.
struct BatchNormGradientSynchronized {
  static constexpr std::string_view name = "batch_norm_gradient_synchronized";

  bool relu = false;

  bool operator==(const BatchNormGradientSynchronized&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, relu ? 9 : 8);
    std::vector<TensorSpec> of_gradient(inputs.begin(), inputs.end());
    of_gradient.erase(of_gradient.begin() + 5, of_gradient.begin() + 8);
    const std::vector<TensorSpec> outputs = BatchNormGradient{relu}.infer(of_gradient);
    check_matrix(name, inputs, 5);
    const std::int64_t ranks = inputs[5].shape[0] / 2;
    check_spec(name, inputs, 5, matrix({2 * ranks, inputs[0].shape[4]}));
    check_spec(name, inputs, 6, matrix({3 * ranks, inputs[0].shape[4]}));
    check_spec(name, inputs, 7, scalar());
    return {outputs[0]};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const std::vector<double>&dy = inputs[0].data, &x = inputs[1].data;
    const auto channels = static_cast<std::size_t>(inputs[0].shape[4]);
    const auto ranks = static_cast<std::size_t>(inputs[5].shape[0] / 2);
    const double present = inputs[7].data[0];
    for (std::size_t c = 0; c < channels; ++c) {
      const double scale = inputs[2].data[c], mean = inputs[3].data[c], inverse_std = inputs[4].data[c];
      double dscale = 0, dshift = 0, pixels = 0;
      for (std::size_t r = 0; r < ranks; ++r) {
        dscale += inputs[5].data[2 * r * channels + c];
        dshift += inputs[5].data[(2 * r + 1) * channels + c];
        pixels += inputs[6].data[3 * r * channels + c];
      }
      for (std::size_t i = c; i < dy.size(); i += channels) {
        const double xhat = (x[i] - mean) * inverse_std;
        const double own = relu && xhat * scale + inputs[8].data[c] <= 0 ? 0 : dy[i];
        outputs[0].data[i] = present * scale * inverse_std * (own - dshift / pixels - xhat * dscale / pixels);
      }
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  /// As of BatchNormSynchronized.
  static void constrain(std::span<Tensor64> inputs) { BatchNormSynchronized::constrain(inputs); }

  static std::vector<Case<BatchNormGradientSynchronized>> cases() {
    using R = Range;
    const std::vector<R> ranges{R::symmetric, R::symmetric, R::positive, R::symmetric, R::positive};
    const auto inputs = [](const Shape& x, std::int64_t ranks, bool behind_relu = false) {
      std::vector<TensorSpec> all(2, activation(x));
      all.resize(5, per_channel(x[4]));
      all.push_back(matrix({2 * ranks, x[4]}));
      all.push_back(matrix({3 * ranks, x[4]}));
      all.push_back(scalar());
      if (behind_relu) all.push_back(per_channel(x[4]));
      return all;
    };
    return {{"one_rank", {}, inputs({2, 3, 4, 5, 32}, 1), ranges},
            {"two_ranks", {.relu = true}, inputs({1, 3, 3, 5, 19}, 2, true), ranges},
            {"three_ranks", {}, inputs({1, 2, 3, 2, 13}, 3), ranges}};
  }
};

}  // namespace tpn::ops
