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

  template <class Values>
  [[nodiscard]] auto recompute(const Values& values) const {
    return values.apply(*this, values.inputs());
  }
  template <class Gradients>
  void differentiate(Gradients& g) const;

  static std::vector<Case<Concat>> cases() {
    return {{"two", {}, {activation({2, 1, 3, 2, 16}), activation({2, 1, 3, 2, 8})}},
            {"three_odd",
             {},
             {activation({1, 2, 2, 2, 3}), activation({1, 2, 2, 2, 5}), activation({1, 2, 2, 2, 1})}},
            {"shared_out", {}, {activation({1, 2, 26, 27, 16}), activation({1, 2, 26, 27, 8})}},
            {"level_fusion", {}, {activation({8, 1, 8, 8, 1024}), activation({8, 1, 8, 8, 1024})}, {}, true}};
  }
};

/// Some consecutive channels: the gradient of one input of Concat is such a slice of the whole's.
/// Input: x (N,T,H,W,C). Output: y (N,T,H,W,count), channels [begin, begin + count) of x.
struct ChannelSlice {
  static constexpr std::string_view name = "channel_slice";

  std::int64_t begin = 0;
  std::int64_t count = 0;

  bool operator==(const ChannelSlice&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    TensorSpec y = inputs[0];
    if (begin < 0 || count < 1 || begin + count > y.shape[4]) {
      throw Error("channel_slice: there are no channels " + std::to_string(begin) + " to " +
                  std::to_string(begin + count) + " in " + to_string(y) + ".");
    }
    y.shape[4] = count;
    return {y};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const std::int64_t channels = inputs[0].shape[4];
    for (std::size_t i = 0; i < outputs[0].data.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      outputs[0].data[i] =
          inputs[0].data[static_cast<std::size_t>(at / count * channels + begin + at % count)];
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<ChannelSlice>> cases() {
    return {{"first", {.begin = 0, .count = 16}, {activation({2, 1, 3, 2, 24})}},
            {"last_odd", {.begin = 8, .count = 1}, {activation({1, 2, 2, 2, 9})}},
            {"shared_out", {.begin = 16, .count = 8}, {activation({1, 2, 26, 27, 24})}},
            {"level_fusion", {.begin = 1024, .count = 1024}, {activation({8, 1, 8, 8, 2048})}, {}, true}};
  }
};

template <class Gradients>
void Concat::differentiate(Gradients& g) const {
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < g.input_count(); ++i) {
    const std::int64_t count = g.input_spec(i).shape[4];
    if (g.wants(i)) g.set_gradient(i, g.apply(ChannelSlice{begin, count}, {g.output_gradient()})[0]);
    begin += count;
  }
}

}  // namespace tpn::ops
