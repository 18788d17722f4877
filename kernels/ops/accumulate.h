// Sums of gradients over the batches of one update.
#pragma once

#include "kernels/ops/op.h"
#include "kernels/ops/sgd.h"

namespace tpn::ops {

/// Takes a gradient into the sum of earlier ones: sum' = gradient where `keep` is 0, whatever the sum held,
/// else sum + gradient. Inputs: keep (); for each parameter the sum and the gradient, of one shape, f32.
/// Outputs: the sums, updated in their places.
struct Accumulate {
  static constexpr std::string_view name = "accumulate";

  bool operator==(const Accumulate&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    if (inputs.size() < 3 || inputs.size() % 2 != 1) {
      throw Error("accumulate takes a number, and two tensors for each parameter; it was given " +
                  std::to_string(inputs.size()) + " inputs.");
    }
    check_spec(name, inputs, 0, scalar());
    std::vector<TensorSpec> outputs;
    for (std::size_t i = 1; i < inputs.size(); i += 2) {
      check_learnable(name, inputs, i);
      check_spec(name, inputs, i + 1, inputs[i]);
      outputs.push_back(inputs[i]);
    }
    return outputs;
  }

  static std::vector<Alias> aliases(std::size_t inputs) {
    std::vector<Alias> result;
    for (std::size_t i = 1; i < inputs; i += 2) result.push_back({i / 2, i});
    return result;
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const bool keep = inputs[0].data[0] != 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::vector<double>&sum = inputs[2 * i + 1].data, &gradient = inputs[2 * i + 2].data;
      for (std::size_t j = 0; j < sum.size(); ++j) {
        outputs[i].data[j] = keep ? sum[j] + gradient[j] : gradient[j];
      }
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<Accumulate>> cases() {
    const auto inputs = [](const std::vector<TensorSpec>& parameters) {
      std::vector<TensorSpec> result{scalar()};
      for (const TensorSpec& parameter : parameters) result.insert(result.end(), 2, parameter);
      return result;
    };
    return {{"one", {}, inputs({weight({7, 5, 1, 3, 3})}), {Range::positive}},
            {"several", {}, inputs({weight({64, 32, 1, 3, 3}), per_channel(13), weight({5, 64})}), {}}};
  }
};

}  // namespace tpn::ops
