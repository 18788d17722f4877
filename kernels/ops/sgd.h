// Stochastic gradient descent with momentum, as torch.optim.SGD after torch.nn.utils.clip_grad_norm_.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Throws Error unless input `index` is of numbers that gradients can be of.
inline void check_learnable(std::string_view op, std::span<const TensorSpec> inputs, std::size_t index) {
  if (inputs[index].kind != Kind::index && inputs[index].dtype == DType::f32) return;
  throw Error(std::string(op) + ": input " + std::to_string(index) + " must be f32 and no index; it is " +
              to_string(inputs[index]) + ".");
}

/// The Euclidean norm of all gradients together, divided by the scale that the losses were multiplied by.
/// Inputs: loss scale (); gradients of any shapes, f32. Output: the norm, ().
struct GradientNorm {
  static constexpr std::string_view name = "gradient_norm";

  bool operator==(const GradientNorm&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    if (inputs.size() < 2) throw Error("gradient_norm takes a loss scale and at least one gradient.");
    check_spec(name, inputs, 0, scalar());
    for (std::size_t i = 1; i < inputs.size(); ++i) check_learnable(name, inputs, i);
    return {scalar()};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    double sum = 0;
    for (const Tensor64& gradient : inputs.subspan(1)) {
      for (const double value : gradient.data) sum += value * value;
    }
    outputs[0].data[0] = std::sqrt(sum) / inputs[0].data[0];
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<GradientNorm>> cases() {
    const std::vector<Range> ranges{Range::positive};
    return {{"one", {}, {scalar(), weight({7, 5, 1, 3, 3})}, ranges},
            {"several", {}, {scalar(), weight({64, 32, 1, 3, 3}), per_channel(13), weight({5, 64})}, ranges}};
  }
};

/// One step. With the norm of the gradients / loss scale, for each parameter:
///   g = gradient / loss scale * min(1, max_norm / (norm + 1e-6)), where max_norm is not 0
///   d = g + weight_decay * parameter
///   momentum' = momentum_factor * momentum + d
///   parameter' = parameter - learning rate * (nesterov ? d + momentum_factor * momentum' : momentum')
/// With a norm that is infinite or NaN, after an overflow of 16-bit gradients, nothing changes.
/// Inputs: learning rate, loss scale, norm, each (); for each parameter itself, its gradient and its
/// momentum, of one shape, f32. Outputs: for each parameter itself and its momentum, updated in their places.
struct Sgd {
  static constexpr std::string_view name = "sgd";

  double momentum = 0.9;
  double weight_decay = 1e-4;
  bool nesterov = true;
  double max_norm = 40;  ///< 0: gradients are not clipped

  bool operator==(const Sgd&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    if (inputs.size() < 6 || inputs.size() % 3 != 0) {
      throw Error("sgd takes three numbers, and three tensors for each parameter; it was given " +
                  std::to_string(inputs.size()) + " inputs.");
    }
    std::vector<TensorSpec> outputs;
    for (std::size_t i = 0; i < 3; ++i) check_spec(name, inputs, i, scalar());
    for (std::size_t i = 3; i < inputs.size(); i += 3) {
      check_learnable(name, inputs, i);
      check_spec(name, inputs, i + 1, inputs[i]);
      check_spec(name, inputs, i + 2, inputs[i]);
      outputs.insert(outputs.end(), 2, inputs[i]);
    }
    return outputs;
  }

  static std::vector<Alias> aliases(std::size_t inputs) {
    std::vector<Alias> result;
    for (std::size_t i = 3; i < inputs; i += 3) {
      result.push_back({2 * (i / 3 - 1), i});
      result.push_back({2 * (i / 3 - 1) + 1, i + 2});
    }
    return result;
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const double rate = inputs[0].data[0], scale = inputs[1].data[0], norm = inputs[2].data[0];
    const double clip = max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
    for (std::size_t i = 0; 3 * i + 3 < inputs.size(); ++i) {
      const std::vector<double>&parameter = inputs[3 * i + 3].data, &gradient = inputs[3 * i + 4].data,
            &old = inputs[3 * i + 5].data;
      for (std::size_t j = 0; j < parameter.size(); ++j) {
        const double d = gradient[j] / scale * clip + weight_decay * parameter[j];
        const double moved = momentum * old[j] + d;
        const double step = nesterov ? d + momentum * moved : moved;
        outputs[2 * i].data[j] = std::isfinite(norm) ? parameter[j] - rate * step : parameter[j];
        outputs[2 * i + 1].data[j] = std::isfinite(norm) ? moved : old[j];
      }
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<Sgd>> cases() {
    const auto inputs = [](const std::vector<TensorSpec>& parameters) {
      std::vector<TensorSpec> result(3, scalar());
      for (const TensorSpec& parameter : parameters) result.insert(result.end(), 3, parameter);
      return result;
    };
    const std::vector<Range> ranges(3, Range::positive);
    return {{"unclipped", {}, inputs({weight({7, 5, 1, 3, 3})}), ranges},
            {"clipped", {.max_norm = 0.1}, inputs({weight({16, 8, 3, 1, 1}), per_channel(13)}), ranges},
            {"plain", {.nesterov = false, .max_norm = 0}, inputs({weight({33, 64})}), ranges}};
  }
};

}  // namespace tpn::ops
