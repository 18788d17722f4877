// What level fusion does to one pyramid level before the concatenation (paper, section 3.4), in one
// operation: y = fused_conv3d(max_pool3d(x), weight, norm), where the convolution is a grouped 1x1x1.
#pragma once

#include "kernels/ops/fused_conv3d.h"
#include "kernels/ops/max_pool3d.h"

namespace tpn::ops {

/// Inputs: x (N,T,H,W,C); weight (O, C/groups, 1, 1, 1); with `conv.norm` scale, shift, mean, variance (O
/// each). Output: y (N,T',H',W',O), with the extents of the pooled x.
struct LevelFusion {
  static constexpr std::string_view name = "level_fusion";

  MaxPool3d pool;    ///< windows do not overlap: kernel = stride, no padding; may be the identity
  FusedConv3d conv;  ///< stride 1, no padding, no residual, no shift

  bool operator==(const LevelFusion&) const = default;

  [[nodiscard]] std::size_t input_count() const { return conv.input_count(); }

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, input_count());
    check_activation(name, inputs, 0);
    if (pool.kernel != pool.stride || pool.padding != Extent3{0, 0, 0} || conv.residual ||
        conv.shift_fold != 0 || conv.conv.stride != Extent3{1, 1, 1} ||
        conv.conv.padding != Extent3{0, 0, 0} || Conv3d::kernel(inputs[1].shape) != Extent3{1, 1, 1}) {
      throw Error(
          "level_fusion takes a pool whose windows do not overlap and a (1,1,1) convolution without " +
          std::string("residual or shift; the weight has shape ") + to_string(inputs[1].shape) + ".");
    }
    if (pool.keep_places) throw Error("level_fusion: its pool keeps no places.");
    std::vector<TensorSpec> operands = pool.infer(inputs.first(1));
    operands.insert(operands.end(), inputs.begin() + 1, inputs.end());
    return conv.infer(operands);
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    std::vector<Tensor64> operands{Tensor64(pool.output(inputs[0].shape))};
    pool.reduce(inputs[0], operands[0], nullptr);
    operands.insert(operands.end(), inputs.begin() + 1, inputs.end());
    conv.forward(operands, outputs);
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                                  std::span<const TensorSpec> outputs) {
    return outputs[0].shape.count() * inputs[1].shape[1];
  }

  static std::vector<Case<LevelFusion>> cases();
};

inline std::vector<Case<LevelFusion>> LevelFusion::cases() {
  using R = Range;
  std::vector<Case<LevelFusion>> all;
  const auto add = [&all](const std::string& label, const Extent3& scale, std::int64_t groups, const Shape& x,
                          const Shape& w, bool norm, bool relu, bool full_size = false) {
    LevelFusion op{.pool = {}, .conv = {.conv = {.groups = groups}, .norm = norm, .relu = relu}};
    if (scale != Extent3{1, 1, 1}) op.pool = {.kernel = scale, .stride = scale, .ceil_mode = true};
    Case<LevelFusion> c{label, op, {activation(x), weight(w)}, {R::symmetric, R::symmetric}, full_size};
    if (norm) {
      c.inputs.insert(c.inputs.end(), 4, per_channel(w[0]));
      c.ranges.insert(c.ranges.end(), {R::positive, R::symmetric, R::symmetric, R::positive});
    }
    all.push_back(std::move(c));
  };
  add("no_pool", {1, 1, 1}, 4, {2, 1, 3, 3, 64}, {64, 16, 1, 1, 1}, true, true);
  add("no_pool_no_norm", {1, 1, 1}, 2, {1, 2, 3, 3, 32}, {16, 16, 1, 1, 1}, false, false);
  add("no_pool_relu", {1, 1, 1}, 32, {1, 2, 2, 3, 64}, {32, 2, 1, 1, 1}, false, true);
  add("frames", {2, 1, 1}, 4, {1, 4, 3, 2, 32}, {32, 8, 1, 1, 1}, true, true);
  add("odd_frames", {2, 1, 1}, 2, {2, 5, 2, 3, 16}, {32, 8, 1, 1, 1}, true, true);
  add("all_axes", {2, 2, 2}, 4, {1, 3, 5, 4, 64}, {32, 16, 1, 1, 1}, true, true);
  add("fewer_frames_than_window", {4, 1, 1}, 2, {1, 3, 2, 2, 16}, {16, 8, 1, 1, 1}, true, false);
  add("odd_groups", {2, 1, 1}, 3, {1, 3, 3, 3, 15}, {21, 5, 1, 1, 1}, true, true);
  add("groups_across_tiles", {1, 2, 1}, 5, {1, 2, 5, 9, 35}, {45, 7, 1, 1, 1}, true, true);
  add("many_pixels", {2, 1, 1}, 2, {2, 2, 7, 7, 64}, {64, 32, 1, 1, 1}, true, true);
  add("one_group", {1, 1, 1}, 1, {1, 1, 5, 3, 24}, {40, 24, 1, 1, 1}, true, true);
  add("one_group_wide", {2, 1, 1}, 1, {1, 3, 3, 3, 96}, {48, 96, 1, 1, 1}, true, true);
  add("slowonly_level", {1, 1, 1}, 32, {8, 1, 8, 8, 1024}, {1024, 32, 1, 1, 1}, true, true, true);
  return all;
}

}  // namespace tpn::ops
