// Max pooling over (t, h, w) windows; cells outside the input do not count, and a window with a NaN gives
// NaN.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x (N,T,H,W,C). Output: y (N,T',H',W',C), T' = (T + 2 pt - kt) / st + 1, rounded up in ceil_mode (a
/// last window that would start past the input and its left padding is dropped, as PyTorch does). An extent
/// shorter than its window gives 1 in ceil_mode. With keep_places a second output, shaped as y: where in its
/// window each maximum lies, counted (t, h, w) with cells outside the input; u8. That is the first of equal
/// ones, and the last NaN, as in PyTorch.
struct MaxPool3d {
  static constexpr std::string_view name = "max_pool3d";

  Extent3 kernel{1, 1, 1};
  Extent3 stride{1, 1, 1};
  Extent3 padding{0, 0, 0};
  bool ceil_mode = false;
  bool keep_places = false;  ///< for the gradient

  bool operator==(const MaxPool3d&) const = default;

  /// Shape of y; throws Error when x is too small.
  [[nodiscard]] Shape output(const Shape& x) const {
    Shape y = x;
    for (std::size_t d = 0; d < 3; ++d) {
      const std::int64_t length = x[d + 1], room = length + 2 * padding[d] - kernel[d];
      std::int64_t count = room < 0 ? 1 : room / stride[d] + 1;
      if (ceil_mode && room > 0 && room % stride[d] != 0 && count * stride[d] < length + padding[d]) ++count;
      if (length == 0 || (room < 0 && !ceil_mode)) {
        throw Error("max_pool3d: an input of shape " + to_string(x) + " is smaller than the window.");
      }
      y[d + 1] = count;
    }
    return y;
  }

  /// Where a cell of x lies in a window, both given by (t, h, w).
  [[nodiscard]] std::int64_t place_in_window(const Extent3& cell, const Extent3& window) const {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < 3; ++d) {
      place = place * kernel[d] + cell[d] + padding[d] - window[d] * stride[d];
    }
    return place;
  }

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    const Shape y = output(inputs[0].shape);
    if (!keep_places) return {activation(y)};
    if (kernel[0] * kernel[1] * kernel[2] > 256) {
      throw Error("max_pool3d: a window of more than 256 cells has no places in u8.");
    }
    return {activation(y), indices(y, DType::u8)};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    reduce(inputs[0], outputs[0], keep_places ? &outputs[1] : nullptr);
  }

  /// places: null where they are not wanted.
  void reduce(const Tensor64& x, Tensor64& y, Tensor64* places) const {
    const auto window = [&](std::size_t d, std::int64_t at) {
      const std::int64_t begin = at * stride[d] - padding[d];
      return std::pair{std::max<std::int64_t>(begin, 0), std::min(begin + kernel[d], x.shape[d + 1])};
    };
    for (std::int64_t n = 0; n < y.shape[0]; ++n)
      for (std::int64_t t = 0; t < y.shape[1]; ++t)
        for (std::int64_t h = 0; h < y.shape[2]; ++h)
          for (std::int64_t w = 0; w < y.shape[3]; ++w)
            for (std::int64_t c = 0; c < y.shape[4]; ++c) {
              double best = -std::numeric_limits<double>::infinity();
              std::int64_t place = -1;
              const auto [t0, t1] = window(0, t);
              const auto [h0, h1] = window(1, h);
              const auto [w0, w1] = window(2, w);
              for (std::int64_t a = t0; a < t1; ++a)
                for (std::int64_t b = h0; b < h1; ++b)
                  for (std::int64_t d = w0; d < w1; ++d) {
                    const double value = x.at(n, a, b, d, c);
                    if (place >= 0 && !(value > best) && value == value) continue;
                    best = value;
                    place = place_in_window({a, b, d}, {t, h, w});
                  }
              y.at(n, t, h, w, c) = best;
              if (places != nullptr) places->at(n, t, h, w, c) = static_cast<double>(place);
            }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  template <class Gradients>
  void differentiate(Gradients& g) const;

  static std::vector<Case<MaxPool3d>> cases() {
    return {{"stem",
             {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}},
             {activation({2, 3, 9, 8, 16})}},
            {"stem_tail",
             {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}},
             {activation({1, 2, 7, 10, 5})}},
            {"all_frames",
             {.kernel = {8, 1, 1}, .stride = {8, 1, 1}, .ceil_mode = true},
             {activation({2, 8, 3, 2, 16})}},
            {"last_window_shorter",
             {.kernel = {4, 1, 1}, .stride = {4, 1, 1}, .ceil_mode = true},
             {activation({1, 9, 2, 2, 12})}},
            {"fewer_frames_than_window",
             {.kernel = {8, 1, 1}, .stride = {8, 1, 1}, .ceil_mode = true},
             {activation({1, 3, 2, 2, 8})}},
            {"stem_places",
             {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}, .keep_places = true},
             {activation({1, 2, 7, 10, 5})}},
            {"frames_places",
             {.kernel = {4, 1, 1}, .stride = {4, 1, 1}, .ceil_mode = true, .keep_places = true},
             {activation({1, 9, 2, 2, 12})}},
            {"res2_stem",
             {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}},
             {activation({1, 8, 128, 128, 64})},
             {},
             true}};
  }
};

/// The gradient of MaxPool3d: dx of a cell sums dy of the windows whose maximum it is.
/// Inputs: dy (N,T',H',W',C), the places, shaped as dy. Output: dx (N,T,H,W,C).
struct MaxPool3dGradient {
  static constexpr std::string_view name = "max_pool3d_gradient";

  MaxPool3d pool;
  Extent3 size{1, 1, 1};  ///< (T, H, W)

  bool operator==(const MaxPool3dGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 2);
    check_activation(name, inputs, 0);
    const Shape& y = inputs[0].shape;
    const Shape x{y[0], size[0], size[1], size[2], y[4]};
    check_spec(name, inputs, 0, activation(pool.output(x)));
    check_spec(name, inputs, 1, indices(y, DType::u8));
    return {activation(x)};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64& dy = inputs[0];
    for (std::int64_t n = 0; n < dy.shape[0]; ++n)
      for (std::int64_t t = 0; t < dy.shape[1]; ++t)
        for (std::int64_t h = 0; h < dy.shape[2]; ++h)
          for (std::int64_t w = 0; w < dy.shape[3]; ++w)
            for (std::int64_t c = 0; c < dy.shape[4]; ++c) {
              const auto place = static_cast<std::int64_t>(inputs[1].at(n, t, h, w, c));
              const std::int64_t a = place / pool.kernel[2] / pool.kernel[1],
                                 b = place / pool.kernel[2] % pool.kernel[1], d = place % pool.kernel[2];
              const auto cell = [&](std::size_t axis, std::int64_t window, std::int64_t inside) {
                return window * pool.stride[axis] - pool.padding[axis] + inside;
              };
              outputs[0].at(n, cell(0, t, a), cell(1, h, b), cell(2, w, d), c) += dy.at(n, t, h, w, c);
            }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  /// Of the cases of MaxPool3d.
  static std::vector<Case<MaxPool3dGradient>> cases() {
    std::vector<Case<MaxPool3dGradient>> result;
    for (const Case<MaxPool3d>& c : MaxPool3d::cases()) {
      MaxPool3d pool = c.op;
      pool.keep_places = true;
      const Shape& x = c.inputs[0].shape;
      result.emplace_back(c.label, MaxPool3dGradient{pool, {x[1], x[2], x[3]}}, pool.infer(c.inputs),
                          std::vector<Range>{}, c.full_size);
    }
    return result;
  }

  /// Values of the inputs that are no free choice: places of cells that exist.
  void constrain(std::span<Tensor64> inputs) const {
    Tensor64 x({inputs[0].shape[0], size[0], size[1], size[2], inputs[0].shape[4]});
    for (std::size_t i = 0; i < x.data.size(); ++i) {
      x.data[i] = static_cast<double>(i * 2654435761U % 1000003U);
    }
    std::vector<Tensor64> results{Tensor64(inputs[0].shape), Tensor64(inputs[0].shape)};
    pool.forward({&x, 1}, results);
    inputs[1] = results[1];
  }
};

template <class Gradients>
void MaxPool3d::differentiate(Gradients& g) const {
  if (!g.wants(0)) return;
  if (!keep_places) throw Error("max_pool3d: without its places it has no gradient.");
  const Shape x = g.input_spec(0).shape;
  g.set_gradient(
      0, g.apply(MaxPool3dGradient{*this, {x[1], x[2], x[3]}}, {g.output_gradient(), g.output(1)})[0]);
}

}  // namespace tpn::ops
