// Concatenation of pyramid levels along channels.
#pragma once

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Inputs: one or more (N,T,H,W,C_i), equal but for C. Output: (N,T,H,W, sum C_i).
struct Concat {
  static constexpr std::string_view name = "concat";

  bool operator==(const Concat&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    if (inputs.empty()) throw Error("concat takes at least one input.");
    Shape y = inputs[0].shape;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      check_activation(name, inputs, i);
      TensorSpec expected = inputs[0];
      expected.shape[4] = inputs[i].shape[4];
      check_spec(name, inputs, i, expected);
      if (i > 0) y[4] += inputs[i].shape[4];
    }
    return {activation(y)};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    Tensor64& y = outputs[0];
    const std::int64_t cells = y.shape[0] * y.shape[1] * y.shape[2] * y.shape[3];
    std::int64_t offset = 0;
    for (const Tensor64& x : inputs) {
      const std::int64_t channels = x.shape[4];
      for (std::int64_t cell = 0; cell < cells; ++cell)
        for (std::int64_t c = 0; c < channels; ++c)
          y.data[static_cast<std::size_t>(cell * y.shape[4] + offset + c)] =
              x.data[static_cast<std::size_t>(cell * channels + c)];
      offset += channels;
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<Concat>> cases() {
    return {{"two", {}, {activation({2, 1, 3, 2, 16}), activation({2, 1, 3, 2, 8})}},
            {"three_odd",
             {},
             {activation({1, 2, 2, 2, 3}), activation({1, 2, 2, 2, 5}), activation({1, 2, 2, 2, 1})}},
            {"shared_out", {}, {activation({1, 2, 26, 27, 16}), activation({1, 2, 26, 27, 8})}},
            {"level_fusion", {}, {activation({8, 1, 8, 8, 1024}), activation({8, 1, 8, 8, 1024})}, {}, true}};
  }
};

}  // namespace tpn::ops
