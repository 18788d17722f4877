// Max pooling over (t, h, w) windows; cells outside the input do not count, and a window with a NaN gives
// NaN.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x (N,T,H,W,C). Output: y (N,T',H',W',C), T' = (T + 2 pt - kt) / st + 1, rounded up in ceil_mode (a
/// last window that would start past the input and its left padding is dropped, as PyTorch does). An extent
/// shorter than its window gives 1 in ceil_mode.
struct MaxPool3d {
  static constexpr std::string_view name = "max_pool3d";

  Extent3 kernel{1, 1, 1};
  Extent3 stride{1, 1, 1};
  Extent3 padding{0, 0, 0};
  bool ceil_mode = false;

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

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    return {activation(output(inputs[0].shape))};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64& x = inputs[0];
    Tensor64& y = outputs[0];
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
              const auto [t0, t1] = window(0, t);
              const auto [h0, h1] = window(1, h);
              const auto [w0, w1] = window(2, w);
              for (std::int64_t a = t0; a < t1; ++a)
                for (std::int64_t b = h0; b < h1; ++b)
                  for (std::int64_t d = w0; d < w1; ++d) best = larger(best, x.at(n, a, b, d, c));
              y.at(n, t, h, w, c) = best;
            }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

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
            {"res2_stem",
             {.kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}},
             {activation({1, 8, 128, 128, 64})},
             {},
             true}};
  }
};

}  // namespace tpn::ops
