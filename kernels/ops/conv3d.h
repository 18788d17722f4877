// 3D convolution without bias: y[n,t,h,w,o] = sum_{i,a,b,c} x[n, t*st+a-pt, h*sh+b-ph, w*sw+c-pw, i] *
// weight[o,i,a,b,c].
#pragma once

#include <algorithm>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Inputs: x (N,T,H,W,C); weight (O, C/groups, kt, kh, kw), or (O, C/groups, kh, kw) for a 2D network's.
/// Output: y (N,T',H',W',O) with T' = (T + 2 pt - kt) / st + 1, and so on.
struct Conv3d {
  static constexpr std::string_view name = "conv3d";

  Extent3 stride{1, 1, 1};
  Extent3 padding{0, 0, 0};
  std::int64_t groups = 1;

  bool operator==(const Conv3d&) const = default;

  /// (kt, kh, kw) of a weight.
  static Extent3 kernel(const Shape& weight) {
    if (weight.rank() == 4) return {1, weight[2], weight[3]};
    return {weight[2], weight[3], weight[4]};
  }

  /// Shape of y; throws Error when the two do not fit.
  [[nodiscard]] Shape output(const Shape& x, const Shape& w) const {
    if (groups < 1 || w[0] % groups != 0 || x[4] != w[1] * groups) {
      throw Error("conv3d: a weight of shape " + to_string(w) + " in " + std::to_string(groups) +
                  " groups does not fit an input of shape " + to_string(x) + ".");
    }
    const Extent3 k = kernel(w);
    Shape y{x[0], 0, 0, 0, w[0]};
    for (std::size_t d = 0; d < 3; ++d) {
      const std::int64_t room = x[d + 1] + 2 * padding[d] - k[d];
      if (room < 0) {
        throw Error("conv3d: an input of shape " + to_string(x) + " is smaller than the kernel of weight " +
                    to_string(w) + ".");
      }
      y[d + 1] = room / stride[d] + 1;
    }
    return y;
  }

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 2);
    check_activation(name, inputs, 0);
    check_input(name, inputs, 1, Kind::weight, inputs[1].shape.rank() == 4 ? 4 : 5);
    return {activation(output(inputs[0].shape, inputs[1].shape))};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64 &x = inputs[0], &weight = inputs[1];
    Tensor64& y = outputs[0];
    const Extent3 k = kernel(weight.shape);
    const std::int64_t in = weight.shape[1], out = y.shape[4] / groups;
    for (std::int64_t n = 0; n < y.shape[0]; ++n)
      for (std::int64_t t = 0; t < y.shape[1]; ++t)
        for (std::int64_t h = 0; h < y.shape[2]; ++h)
          for (std::int64_t w = 0; w < y.shape[3]; ++w)
            for (std::int64_t o = 0; o < y.shape[4]; ++o) {
              double sum = 0;
              for (std::int64_t a = 0; a < k[0]; ++a)
                for (std::int64_t b = 0; b < k[1]; ++b)
                  for (std::int64_t c = 0; c < k[2]; ++c) {
                    const std::int64_t xt = t * stride[0] + a - padding[0],
                                       xh = h * stride[1] + b - padding[1],
                                       xw = w * stride[2] + c - padding[2];
                    if (xt < 0 || xt >= x.shape[1] || xh < 0 || xh >= x.shape[2] || xw < 0 ||
                        xw >= x.shape[3])
                      continue;
                    for (std::int64_t i = 0; i < in; ++i) {
                      const std::int64_t index = (((o * in + i) * k[0] + a) * k[1] + b) * k[2] + c;
                      sum += x.at(n, xt, xh, xw, o / out * in + i) *
                             weight.data[static_cast<std::size_t>(index)];
                    }
                  }
              y.at(n, t, h, w, o) = sum;
            }
  }

  [[nodiscard]] std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                           std::span<const TensorSpec> outputs) const {
    return outputs[0].shape.count() * (inputs[1].shape.count() / inputs[1].shape[0]);
  }

  static std::vector<Case<Conv3d>> cases() {
    return {
        {"pointwise", {}, {activation({2, 3, 4, 5, 16}), weight({24, 16, 1, 1, 1})}},
        {"pointwise_odd", {}, {activation({1, 2, 3, 5, 7}), weight({5, 7, 1, 1, 1})}},
        {"spatial", {.padding = {0, 1, 1}}, {activation({1, 3, 7, 6, 8}), weight({16, 8, 1, 3, 3})}},
        {"spatial_strided",
         {.stride = {1, 2, 2}, .padding = {0, 1, 1}},
         {activation({2, 2, 9, 8, 8}), weight({12, 8, 1, 3, 3})}},
        {"spatial_2d_weight",
         {.stride = {1, 2, 2}, .padding = {0, 1, 1}},
         {activation({1, 2, 7, 7, 4}), weight({6, 4, 3, 3})}},
        {"temporal", {.padding = {1, 0, 0}}, {activation({2, 5, 3, 4, 8}), weight({16, 8, 3, 1, 1})}},
        {"temporal_one_frame",
         {.padding = {1, 0, 0}},
         {activation({2, 1, 3, 4, 8}), weight({16, 8, 3, 1, 1})}},
        {"temporal_grouped",
         {.padding = {1, 0, 0}, .groups = 32},
         {activation({1, 4, 3, 2, 64}), weight({32, 2, 3, 1, 1})}},
        {"pointwise_grouped", {.groups = 32}, {activation({2, 1, 3, 3, 64}), weight({64, 2, 1, 1, 1})}},
        {"shortcut", {.stride = {1, 2, 2}}, {activation({1, 2, 7, 6, 8}), weight({16, 8, 1, 1, 1})}},
        {"stem",
         {.stride = {1, 2, 2}, .padding = {0, 3, 3}},
         {activation({1, 2, 21, 18, 3}), weight({4, 3, 1, 7, 7})}},
        {"stem_2d_weight",
         {.stride = {1, 2, 2}, .padding = {0, 3, 3}},
         {activation({1, 2, 18, 21, 3}), weight({8, 3, 7, 7})}},
    };
  }
};

}  // namespace tpn::ops
