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

  template <class Gradients>
  void differentiate(Gradients& g) const;

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

/// Calls product(x element, weight element, y element), indices into their data, for every product that a
/// convolution adds up.
template <class Product>
void for_each_product(const Conv3d& conv, const Tensor64& x, const Tensor64& weight, const Tensor64& y,
                      const Product& product) {
  const Extent3 k = Conv3d::kernel(weight.shape);
  const std::int64_t in = weight.shape[1], out = y.shape[4] / conv.groups;
  const auto element = [](const Shape& s, std::int64_t n, std::int64_t t, std::int64_t h, std::int64_t w,
                          std::int64_t c) {
    return static_cast<std::size_t>((((n * s[1] + t) * s[2] + h) * s[3] + w) * s[4] + c);
  };
  for (std::int64_t n = 0; n < y.shape[0]; ++n)
    for (std::int64_t t = 0; t < y.shape[1]; ++t)
      for (std::int64_t h = 0; h < y.shape[2]; ++h)
        for (std::int64_t w = 0; w < y.shape[3]; ++w)
          for (std::int64_t a = 0; a < k[0]; ++a)
            for (std::int64_t b = 0; b < k[1]; ++b)
              for (std::int64_t c = 0; c < k[2]; ++c) {
                const std::int64_t xt = t * conv.stride[0] + a - conv.padding[0],
                                   xh = h * conv.stride[1] + b - conv.padding[1],
                                   xw = w * conv.stride[2] + c - conv.padding[2];
                if (xt < 0 || xt >= x.shape[1] || xh < 0 || xh >= x.shape[2] || xw < 0 || xw >= x.shape[3])
                  continue;
                for (std::int64_t o = 0; o < y.shape[4]; ++o)
                  for (std::int64_t i = 0; i < in; ++i) {
                    product(element(x.shape, n, xt, xh, xw, o / out * in + i),
                            static_cast<std::size_t>((((o * in + i) * k[0] + a) * k[1] + b) * k[2] + c),
                            element(y.shape, n, t, h, w, o));
                  }
              }
}

/// The gradient of Conv3d with respect to x. Since y[p] sums x[q] weight[k] over the pairs (q, k) that meet
/// at p, dx[q] sums dy[p] weight[k] over the pairs (p, k) that meet q. Inputs: dy (N,T',H',W',O), weight.
/// Output: dx (N,T,H,W,C).
struct Conv3dDataGradient {
  static constexpr std::string_view name = "conv3d_data_gradient";

  Conv3d conv;
  Extent3 size{1, 1, 1};  ///< (T, H, W): strides do not tell

  bool operator==(const Conv3dDataGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 2);
    check_activation(name, inputs, 0);
    check_input(name, inputs, 1, Kind::weight, inputs[1].shape.rank() == 4 ? 4 : 5);
    const Shape& w = inputs[1].shape;
    const Shape x{inputs[0].shape[0], size[0], size[1], size[2], w[1] * conv.groups};
    check_spec(name, inputs, 0, activation(conv.output(x, w)));
    return {activation(x)};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64 &dy = inputs[0], &weight = inputs[1];
    Tensor64& dx = outputs[0];
    for_each_product(conv, dx, weight, dy, [&](std::size_t x, std::size_t w, std::size_t y) {
      dx.data[x] += dy.data[y] * weight.data[w];
    });
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                                  std::span<const TensorSpec>) {
    return inputs[0].shape.count() * (inputs[1].shape.count() / inputs[1].shape[0]);
  }

  /// Of every case of Conv3d.
  static std::vector<Case<Conv3dDataGradient>> cases() {
    std::vector<Case<Conv3dDataGradient>> result;
    for (const Case<Conv3d>& c : Conv3d::cases()) {
      const Shape& x = c.inputs[0].shape;
      result.emplace_back(c.label, Conv3dDataGradient{c.op, {x[1], x[2], x[3]}},
                          std::vector{c.op.infer(c.inputs)[0], c.inputs[1]}, c.ranges, c.full_size);
    }
    return result;
  }
};

/// The gradient of Conv3d with respect to its weight: dweight[k] sums x[q] dy[p] over the pairs (q, p) that k
/// connects.
/// Inputs: x (N,T,H,W,C), dy (N,T',H',W',O). Output: dweight, shaped as the weight.
struct Conv3dWeightGradient {
  static constexpr std::string_view name = "conv3d_weight_gradient";

  Conv3d conv;
  Shape weight_shape;

  bool operator==(const Conv3dWeightGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 2);
    check_activation(name, inputs, 0);
    check_spec(name, inputs, 1, activation(conv.output(inputs[0].shape, weight_shape)));
    return {weight(weight_shape)};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64 &x = inputs[0], &dy = inputs[1];
    Tensor64& dweight = outputs[0];
    for_each_product(conv, x, dweight, dy, [&](std::size_t q, std::size_t k, std::size_t p) {
      dweight.data[k] += x.data[q] * dy.data[p];
    });
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                                  std::span<const TensorSpec> outputs) {
    return inputs[1].shape.count() * (outputs[0].shape.count() / outputs[0].shape[0]);
  }

  /// Of every case of Conv3d.
  static std::vector<Case<Conv3dWeightGradient>> cases() {
    std::vector<Case<Conv3dWeightGradient>> result;
    for (const Case<Conv3d>& c : Conv3d::cases()) {
      result.emplace_back(c.label, Conv3dWeightGradient{c.op, c.inputs[1].shape},
                          std::vector{c.inputs[0], c.op.infer(c.inputs)[0]}, c.ranges, c.full_size);
    }
    return result;
  }
};

template <class Gradients>
void Conv3d::differentiate(Gradients& g) const {
  const auto dy = g.output_gradient();
  const Shape x = g.input_spec(0).shape, w = g.input_spec(1).shape;
  if (g.wants(1)) g.set_gradient(1, g.apply(Conv3dWeightGradient{*this, w}, {g.input(0), dy})[0]);
  if (g.wants(0)) {
    g.set_gradient(0, g.apply(Conv3dDataGradient{*this, {x[1], x[2], x[3]}}, {dy, g.input(1)})[0]);
  }
}

}  // namespace tpn::ops
