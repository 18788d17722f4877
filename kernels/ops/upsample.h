// Nearest-neighbour upsampling by whole factors: y[t,h,w] = x[t/st, h/sh, w/sw].
#pragma once

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x (N,T,H,W,C). Output: y (N, T st, H sh, W sw, C).
struct Upsample {
  static constexpr std::string_view name = "upsample";

  Extent3 scale{1, 1, 1};

  bool operator==(const Upsample&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    Shape y = inputs[0].shape;
    for (std::size_t d = 0; d < 3; ++d) y[d + 1] *= scale[d];
    return {activation(y)};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    Tensor64& y = outputs[0];
    for (std::int64_t n = 0; n < y.shape[0]; ++n)
      for (std::int64_t t = 0; t < y.shape[1]; ++t)
        for (std::int64_t h = 0; h < y.shape[2]; ++h)
          for (std::int64_t w = 0; w < y.shape[3]; ++w)
            for (std::int64_t c = 0; c < y.shape[4]; ++c)
              y.at(n, t, h, w, c) = inputs[0].at(n, t / scale[0], h / scale[1], w / scale[2], c);
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

  static std::vector<Case<Upsample>> cases() {
    return {{"frames", {.scale = {2, 1, 1}}, {activation({2, 3, 2, 2, 16})}},
            {"all_axes", {.scale = {2, 3, 2}}, {activation({1, 2, 2, 3, 5})}}};
  }
};

/// The gradient of Upsample: the sum of those of a cell's copies.
/// Input: dy (N, T st, H sh, W sw, C). Output: dx (N,T,H,W,C).
struct UpsampleGradient {
  static constexpr std::string_view name = "upsample_gradient";

  Extent3 scale{1, 1, 1};

  bool operator==(const UpsampleGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    TensorSpec x = inputs[0];
    for (std::size_t d = 0; d < 3; ++d) {
      if (x.shape[d + 1] % scale[d] != 0) {
        throw Error("upsample_gradient: " + to_string(x) + " is no multiple of the scale.");
      }
      x.shape[d + 1] /= scale[d];
    }
    return {x};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64& dy = inputs[0];
    for (std::int64_t n = 0; n < dy.shape[0]; ++n)
      for (std::int64_t t = 0; t < dy.shape[1]; ++t)
        for (std::int64_t h = 0; h < dy.shape[2]; ++h)
          for (std::int64_t w = 0; w < dy.shape[3]; ++w)
            for (std::int64_t c = 0; c < dy.shape[4]; ++c)
              outputs[0].at(n, t / scale[0], h / scale[1], w / scale[2], c) += dy.at(n, t, h, w, c);
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<UpsampleGradient>> cases() {
    return {{"frames", {.scale = {2, 1, 1}}, {activation({2, 6, 2, 2, 16})}},
            {"all_axes", {.scale = {2, 3, 2}}, {activation({1, 4, 6, 6, 5})}}};
  }
};

template <class Gradients>
void Upsample::differentiate(Gradients& g) const {
  if (g.wants(0)) g.set_gradient(0, g.apply(UpsampleGradient{scale}, {g.output_gradient()})[0]);
}

}  // namespace tpn::ops
