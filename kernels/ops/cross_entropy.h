// Cross-entropy of the softmax of logits, averaged over a batch, as torch.nn.functional.cross_entropy.
#pragma once

#include <cmath>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// With p = softmax(logits) and targets t[n,k] = (1 - smoothing) [k = label of n] + smoothing / K, the loss
/// is weight * sum over n, k of -c[k] t[n,k] log p[n,k], divided by the sum over n of c[label of n], where c
/// are the class weights, or 1. Inputs: logits (N,K); labels (N) i64 in [0, K); class weights (K), or none.
/// Output: the loss, ().
struct CrossEntropy {
  static constexpr std::string_view name = "cross_entropy";

  double label_smoothing = 0;
  double weight = 1;  ///< of this loss among others

  bool operator==(const CrossEntropy&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, inputs.size() == 3 ? 3 : 2);
    check_matrix(name, inputs, 0);
    check_spec(name, inputs, 1, indices({inputs[0].shape[0]}, DType::i64));
    if (inputs.size() == 3) check_spec(name, inputs, 2, per_channel(inputs[0].shape[1]));
    if (!(label_smoothing >= 0 && label_smoothing <= 1)) {
      throw Error("cross_entropy: labels can be smoothed by 0 to 1, not by " +
                  std::to_string(label_smoothing) + ".");
    }
    return {scalar()};
  }

  /// c[k] t[n,k] of every element; with weights: of classes, null for none.
  [[nodiscard]] std::vector<double> targets(const Shape& logits, const Tensor64& labels,
                                            const Tensor64* weights) const {
    const auto classes = static_cast<std::size_t>(logits[1]);
    std::vector<double> result(static_cast<std::size_t>(logits.count()));
    for (std::size_t i = 0; i < result.size(); ++i) {
      const std::size_t n = i / classes, k = i % classes;
      if (!(labels.data[n] >= 0 && labels.data[n] < static_cast<double>(classes))) {
        throw Error("cross_entropy: the label of row " + std::to_string(n) + " is " +
                    std::to_string(static_cast<std::int64_t>(labels.data[n])) + "; there are " +
                    std::to_string(classes) + " classes.");
      }
      const double share = labels.data[n] == static_cast<double>(k) ? 1 - label_smoothing : 0;
      const double class_weight = weights != nullptr ? weights->data[k] : 1;
      result[i] = class_weight * (share + label_smoothing / static_cast<double>(classes));
    }
    return result;
  }

  /// The sum over n of c[label of n].
  [[nodiscard]] static double total(const Tensor64& labels, const Tensor64* weights) {
    double sum = 0;
    for (const double label : labels.data) {
      sum += weights != nullptr ? weights->data[static_cast<std::size_t>(label)] : 1;
    }
    return sum;
  }

  /// log softmax, row by row.
  [[nodiscard]] static std::vector<double> log_softmax(const Tensor64& logits) {
    const auto classes = static_cast<std::size_t>(logits.shape[1]);
    std::vector<double> result = logits.data;
    for (std::size_t first = 0; first < result.size(); first += classes) {
      double most = result[first], sum = 0;
      for (std::size_t k = 1; k < classes; ++k) most = std::max(most, result[first + k]);
      for (std::size_t k = 0; k < classes; ++k) sum += std::exp(result[first + k] - most);
      for (std::size_t k = 0; k < classes; ++k) result[first + k] -= most + std::log(sum);
    }
    return result;
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64* weights = inputs.size() == 3 ? &inputs[2] : nullptr;
    const std::vector<double> target = targets(inputs[0].shape, inputs[1], weights),
                              logs = log_softmax(inputs[0]);
    double sum = 0;
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (target[i] != 0) sum -= target[i] * logs[i];
    }
    outputs[0].data[0] = weight * sum / total(inputs[1], weights);
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<CrossEntropy>> cases() {
    const auto inputs = [](std::int64_t rows, std::int64_t classes, bool weighted) {
      std::vector<TensorSpec> result{matrix({rows, classes}), indices({rows}, DType::i64)};
      if (weighted) result.push_back(per_channel(classes));
      return result;
    };
    const std::vector<Range> ranges{Range::symmetric, Range::symmetric, Range::positive};
    return {{"plain", {}, inputs(3, 7, false)},
            {"auxiliary", {.weight = 0.5}, inputs(8, 400, false)},
            {"smoothed", {.label_smoothing = 0.1}, inputs(4, 13, false)},
            {"weighted", {.label_smoothing = 0.2, .weight = 0.5}, inputs(5, 11, true), ranges},
            {"weighted_only", {}, inputs(2, 33, true), ranges}};
  }

  /// Labels are classes that exist.
  static void constrain(std::span<Tensor64> inputs) {
    const std::int64_t classes = inputs[0].shape[1];
    for (std::size_t n = 0; n < inputs[1].data.size(); ++n) {
      inputs[1].data[n] = static_cast<double>((static_cast<std::int64_t>(n) * 5 + 2) % classes);
    }
  }

  template <class Gradients>
  void differentiate(Gradients& g) const;
};

/// The gradient of CrossEntropy with respect to the logits. d log p[k] / d logit[j] is [j = k] - p[j], so
/// that dlogits[n,j] = dloss * weight * (p[n,j] * sum over k of c[k] t[n,k] - c[j] t[n,j]), divided by the
/// sum of the labels' class weights. Inputs: logits, labels, class weights or none, as of CrossEntropy; dloss
/// (). Output: dlogits (N,K).
struct CrossEntropyGradient {
  static constexpr std::string_view name = "cross_entropy_gradient";

  CrossEntropy loss;

  bool operator==(const CrossEntropyGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, inputs.size() == 4 ? 4 : 3);
    check_spec(name, inputs, inputs.size() - 1, loss.infer(inputs.first(inputs.size() - 1))[0]);
    return {inputs[0]};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64* weights = inputs.size() == 4 ? &inputs[2] : nullptr;
    const std::vector<double> target = loss.targets(inputs[0].shape, inputs[1], weights),
                              logs = CrossEntropy::log_softmax(inputs[0]);
    const auto classes = static_cast<std::size_t>(inputs[0].shape[1]);
    const double factor = inputs.back().data[0] * loss.weight / CrossEntropy::total(inputs[1], weights);
    for (std::size_t first = 0; first < target.size(); first += classes) {
      double sum = 0;
      for (std::size_t k = 0; k < classes; ++k) sum += target[first + k];
      for (std::size_t i = first; i < first + classes; ++i) {
        outputs[0].data[i] = factor * (std::exp(logs[i]) * sum - target[i]);
      }
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  /// Of the cases of CrossEntropy.
  static std::vector<Case<CrossEntropyGradient>> cases() {
    std::vector<Case<CrossEntropyGradient>> result;
    for (Case<CrossEntropy>& c : CrossEntropy::cases()) {
      c.inputs.push_back(scalar());
      result.emplace_back(c.label, CrossEntropyGradient{c.op}, c.inputs, c.ranges);
    }
    return result;
  }

  static void constrain(std::span<Tensor64> inputs) { CrossEntropy::constrain(inputs); }
};

template <class Gradients>
void CrossEntropy::differentiate(Gradients& g) const {
  if (!g.wants(0)) return;
  std::vector inputs{g.input(0), g.input(1)};
  if (g.input_count() == 3) inputs.push_back(g.input(2));
  inputs.push_back(g.output_gradient());
  g.set_gradient(0, g.apply(CrossEntropyGradient{*this}, inputs)[0]);
}

}  // namespace tpn::ops
