// Sum of two pyramid levels or of a block and its shortcut. A side with one frame is repeated over T.
#pragma once

#include <algorithm>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Inputs: a, b (N,T,H,W,C), equal but for T, where either may be 1. Output: (N, max T, H, W, C).
struct Add {
  static constexpr std::string_view name = "add";

  bool operator==(const Add&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 2);
    check_activation(name, inputs, 0);
    check_activation(name, inputs, 1);
    const Shape &a = inputs[0].shape, &b = inputs[1].shape;
    Shape y = a;
    y[1] = std::max(a[1], b[1]);
    for (std::size_t d = 0; d < 5; ++d) {
      if (a[d] != b[d] && !(d == 1 && (a[d] == 1 || b[d] == 1))) {
        throw Error(
            "add: shapes " + to_string(a) + " and " + to_string(b) +
            " do not match (only the number of frames may differ, where one side has a single frame).");
      }
    }
    return {activation(y)};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const Tensor64 &a = inputs[0], &b = inputs[1];
    Tensor64& y = outputs[0];
    for (std::int64_t n = 0; n < y.shape[0]; ++n)
      for (std::int64_t t = 0; t < y.shape[1]; ++t)
        for (std::int64_t h = 0; h < y.shape[2]; ++h)
          for (std::int64_t w = 0; w < y.shape[3]; ++w)
            for (std::int64_t c = 0; c < y.shape[4]; ++c)
              y.at(n, t, h, w, c) =
                  a.at(n, a.shape[1] == 1 ? 0 : t, h, w, c) + b.at(n, b.shape[1] == 1 ? 0 : t, h, w, c);
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

  static std::vector<Case<Add>> cases() {
    return {{"equal", {}, {activation({2, 3, 4, 5, 16}), activation({2, 3, 4, 5, 16})}},
            {"tail", {}, {activation({1, 2, 3, 3, 5}), activation({1, 2, 3, 3, 5})}},
            {"broadcast_second", {}, {activation({2, 4, 3, 2, 16}), activation({2, 1, 3, 2, 16})}},
            {"broadcast_first", {}, {activation({2, 1, 3, 2, 9}), activation({2, 2, 3, 2, 9})}},
            {"shared_out", {}, {activation({1, 3, 16, 18, 40}), activation({1, 1, 16, 18, 40})}},
            {"shortcut", {}, {activation({1, 8, 64, 64, 256}), activation({1, 8, 64, 64, 256})}, {}, true},
            {"top_down", {}, {activation({1, 8, 8, 8, 1024}), activation({1, 1, 8, 8, 1024})}, {}, true}};
  }
};

/// The gradient of a frame that was repeated over T: the sum of those of its copies.
/// Input: dy (N,T,H,W,C). Output: dx (N,1,H,W,C).
struct SumOverFrames {
  static constexpr std::string_view name = "sum_over_frames";

  bool operator==(const SumOverFrames&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    TensorSpec y = inputs[0];
    y.shape[1] = 1;
    return {y};
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    const Tensor64& x = inputs[0];
    for (std::int64_t n = 0; n < x.shape[0]; ++n)
      for (std::int64_t t = 0; t < x.shape[1]; ++t)
        for (std::int64_t h = 0; h < x.shape[2]; ++h)
          for (std::int64_t w = 0; w < x.shape[3]; ++w)
            for (std::int64_t c = 0; c < x.shape[4]; ++c) outputs[0].at(n, 0, h, w, c) += x.at(n, t, h, w, c);
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<SumOverFrames>> cases() {
    return {{"vectors", {}, {activation({2, 4, 3, 2, 16})}},
            {"tail", {}, {activation({1, 3, 3, 5, 7})}},
            {"top_down", {}, {activation({1, 8, 8, 8, 1024})}, {}, true}};
  }
};

/// Each side has the gradient of the sum, the repeated one that of all its copies.
template <class Gradients>
void Add::differentiate(Gradients& g) const {
  const std::int64_t frames = std::max(g.input_spec(0).shape[1], g.input_spec(1).shape[1]);
  for (std::size_t i = 0; i < 2; ++i) {
    if (!g.wants(i)) continue;
    const bool repeated = g.input_spec(i).shape[1] != frames;
    g.set_gradient(i, repeated ? g.apply(SumOverFrames{}, {g.output_gradient()})[0] : g.output_gradient());
  }
}

}  // namespace tpn::ops
