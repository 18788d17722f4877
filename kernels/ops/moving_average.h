// An average of the parameters over the steps of training.
#pragma once

#include "kernels/ops/op.h"
#include "kernels/ops/sgd.h"

namespace tpn::ops {

/// average' = average + (1 - decay) * (parameter - average). Inputs: for each parameter itself and its
/// average, of one shape, f32. Outputs: the averages, updated in their places.
struct MovingAverage {
  static constexpr std::string_view name = "moving_average";

  double decay = 0.99;

  bool operator==(const MovingAverage&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    if (inputs.empty() || inputs.size() % 2 != 0) {
      throw Error("moving_average takes two tensors for each parameter; it was given " +
                  std::to_string(inputs.size()) + " inputs.");
    }
    std::vector<TensorSpec> outputs;
    for (std::size_t i = 0; i < inputs.size(); i += 2) {
      check_learnable(name, inputs, i);
      check_spec(name, inputs, i + 1, inputs[i]);
      outputs.push_back(inputs[i]);
    }
    return outputs;
  }

  static std::vector<Alias> aliases(std::size_t inputs) {
    std::vector<Alias> result;
    for (std::size_t i = 0; i < inputs; i += 2) result.push_back({i / 2, i + 1});
    return result;
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::vector<double>&parameter = inputs[2 * i].data, &average = inputs[2 * i + 1].data;
      for (std::size_t j = 0; j < average.size(); ++j) {
        outputs[i].data[j] = average[j] + (1 - decay) * (parameter[j] - average[j]);
      }
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<MovingAverage>> cases() {
    const auto inputs = [](const std::vector<TensorSpec>& parameters) {
      std::vector<TensorSpec> result;
      for (const TensorSpec& parameter : parameters) result.insert(result.end(), 2, parameter);
      return result;
    };
    return {{"one", {}, inputs({weight({7, 5, 1, 3, 3})}), {}},
            {"several",
             {.decay = 0.7},
             inputs({weight({64, 32, 1, 3, 3}), per_channel(13), weight({5, 64})}),
             {}}};
  }
};

}  // namespace tpn::ops
