// Temporal modulation of a pyramid level (paper, section 3.3) in one operation: a grouped (3,1,1)
// convolution, the maximum over windows of frames, and the level above added. y = max over windows(conv3d(x,
// weight)) + addend.
#pragma once

#include "kernels/ops/conv3d.h"
#include "kernels/ops/max_pool3d.h"

namespace tpn::ops {

/// Inputs: x (N,T,H,W,C); weight (O, C/groups, 3, 1, 1); with `add` a tensor (N,T2,H,W,O) where T2 divides
/// T'. Output: y (N,T',H,W,O), T' = T / window rounded up: the last window may be shorter. Frame t takes
/// frame t * T2 / T' (rounded down) of the addend, which is nearest upsampling.
struct TemporalModulation {
  static constexpr std::string_view name = "temporal_modulation";

  Conv3d conv{.padding = {1, 0, 0}};  ///< stride 1, padding (1,0,0)
  std::int64_t window = 1;            ///< frames, also from one window to the next
  bool add = false;

  bool operator==(const TemporalModulation&) const = default;

  [[nodiscard]] std::size_t input_count() const { return add ? 3 : 2; }

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, input_count());
    std::vector<TensorSpec> y = pool().infer(conv.infer(inputs.first(2)));
    if (conv.stride != Extent3{1, 1, 1} || conv.padding != Extent3{1, 0, 0} || window < 1 ||
        Conv3d::kernel(inputs[1].shape) != Extent3{3, 1, 1}) {
      throw Error(
          "temporal_modulation takes a (3,1,1) convolution that keeps the shape, and a window of one " +
          std::string("or more frames; the weight has shape ") + to_string(inputs[1].shape) + ".");
    }
    if (add) {
      check_activation(name, inputs, 2);
      const std::int64_t frames = y[0].shape[1], its_frames = inputs[2].shape[1];
      TensorSpec expected = y[0];
      if (its_frames > 0 && frames % its_frames == 0) expected.shape[1] = its_frames;
      check_spec(name, inputs, 2, expected);
    }
    return y;
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    std::vector<Tensor64> convolved{Tensor64(conv.output(inputs[0].shape, inputs[1].shape))};
    conv.forward(inputs.first(2), convolved);
    pool().forward(convolved, outputs);
    if (!add) return;
    Tensor64& y = outputs[0];
    const std::int64_t repeats = y.shape[1] / inputs[2].shape[1];
    for (std::int64_t n = 0; n < y.shape[0]; ++n)
      for (std::int64_t t = 0; t < y.shape[1]; ++t)
        for (std::int64_t h = 0; h < y.shape[2]; ++h)
          for (std::int64_t w = 0; w < y.shape[3]; ++w)
            for (std::int64_t o = 0; o < y.shape[4]; ++o)
              y.at(n, t, h, w, o) += inputs[2].at(n, t / repeats, h, w, o);
  }

  [[nodiscard]] std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                           std::span<const TensorSpec>) const {
    return conv.multiply_adds(inputs.first(2), conv.infer(inputs.first(2)));
  }

  static std::vector<Case<TemporalModulation>> cases() {
    const auto grouped = [](std::int64_t groups) { return Conv3d{.padding = {1, 0, 0}, .groups = groups}; };
    return {{"all_frames",
             {.conv = grouped(4), .window = 8},
             {activation({2, 8, 3, 2, 64}), weight({64, 16, 3, 1, 1})}},
            {"add_own_frames",
             {.conv = grouped(4), .window = 2, .add = true},
             {activation({1, 6, 3, 2, 32}), weight({16, 8, 3, 1, 1}), activation({1, 3, 3, 2, 16})}},
            {"add_one_frame",
             {.conv = grouped(4), .window = 2, .add = true},
             {activation({1, 7, 2, 3, 64}), weight({128, 16, 3, 1, 1}), activation({1, 1, 2, 3, 128})}},
            {"add_upsampled",
             {.conv = grouped(2), .window = 1, .add = true},
             {activation({2, 6, 2, 2, 32}), weight({48, 16, 3, 1, 1}), activation({2, 3, 2, 2, 48})}},
            {"last_window_shorter",
             {.conv = grouped(32), .window = 4},
             {activation({1, 9, 3, 2, 64}), weight({32, 2, 3, 1, 1})}},
            {"fewer_frames_than_window",
             {.conv = grouped(2), .window = 8},
             {activation({1, 3, 2, 2, 16}), weight({8, 8, 3, 1, 1})}},
            {"one_frame",
             {.conv = grouped(2), .window = 8},
             {activation({2, 1, 3, 2, 32}), weight({32, 16, 3, 1, 1})}},
            {"odd_groups",
             {.conv = grouped(3), .window = 3, .add = true},
             {activation({1, 5, 2, 3, 15}), weight({21, 5, 3, 1, 1}), activation({1, 2, 2, 3, 21})}},
            {"groups_across_tiles",
             {.conv = grouped(5), .window = 2, .add = true},
             {activation({1, 3, 5, 7, 35}), weight({45, 7, 3, 1, 1}), activation({1, 1, 5, 7, 45})}},
            {"many_pixels",
             {.conv = grouped(2), .window = 3},
             {activation({2, 4, 9, 9, 64}), weight({64, 32, 3, 1, 1})}},
            {"one_group",
             {.conv = grouped(1), .window = 2},
             {activation({1, 4, 3, 3, 12}), weight({20, 12, 3, 1, 1})}},
            {"one_group_wide",
             {.conv = grouped(1), .window = 4},
             {activation({1, 4, 3, 3, 96}), weight({64, 96, 3, 1, 1})}},
            {"slowonly_level_0",
             {.conv = grouped(32), .window = 8, .add = true},
             {activation({1, 8, 8, 8, 2048}), weight({1024, 64, 3, 1, 1}), activation({1, 1, 8, 8, 1024})},
             {},
             true}};
  }

 private:
  [[nodiscard]] MaxPool3d pool() const {
    return {.kernel = {window, 1, 1}, .stride = {window, 1, 1}, .ceil_mode = true};
  }
};

}  // namespace tpn::ops
