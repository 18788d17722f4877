// The conv unit of the networks in one operation: a temporal shift, the convolution, batch norm, residual add
// and ReLU, each but the convolution optional. y = relu(batch_norm(conv3d(shift(x), weight)) + residual).
#pragma once

#include "kernels/ops/add.h"
#include "kernels/ops/batch_norm.h"
#include "kernels/ops/conv3d.h"
#include "kernels/ops/relu.h"
#include "kernels/ops/temporal_shift.h"

namespace tpn::ops {

/// Inputs: x and weight as of Conv3d; with `norm` scale, shift, mean, variance (O each); with `residual` a
/// tensor shaped as the output, with `one_frame_residual` as one frame of it, which is added to every frame.
/// Output: as of Conv3d.
struct FusedConv3d {
  static constexpr std::string_view name = "fused_conv3d";

  Conv3d conv;
  bool norm = false;
  double eps = 1e-5;
  bool residual = false;
  bool one_frame_residual = false;  ///< only with residual
  bool relu = false;
  std::int64_t shift_fold = 0;  ///< of the TemporalShift of x; 0: none

  bool operator==(const FusedConv3d&) const = default;

  [[nodiscard]] std::size_t input_count() const { return 2U + (norm ? 4U : 0U) + (residual ? 1U : 0U); }

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, input_count());
    std::vector<TensorSpec> y = conv.infer(inputs.first(2));
    if (norm) {
      for (std::size_t i = 2; i < 6; ++i) check_spec(name, inputs, i, per_channel(y[0].shape[4]));
    }
    if (residual) {
      TensorSpec expected = y[0];
      if (one_frame_residual) expected.shape[1] = 1;
      check_spec(name, inputs, inputs.size() - 1, expected);
    }
    if (shift_fold != 0) (void)TemporalShift{shift_fold}.infer(inputs.first(1));
    return y;
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    if (shift_fold == 0) {
      conv.forward(inputs.first(2), outputs);
    } else {
      std::vector<Tensor64> shifted{Tensor64(inputs[0].shape)};
      TemporalShift{shift_fold}.forward(inputs.first(1), shifted);
      shifted.push_back(inputs[1]);
      conv.forward(shifted, outputs);
    }
    if (norm) {
      const std::vector<Tensor64> operands{outputs[0], inputs[2], inputs[3], inputs[4], inputs[5]};
      BatchNorm{eps}.forward(operands, outputs);
    }
    if (residual) Add::forward(std::vector<Tensor64>{outputs[0], inputs.back()}, outputs);
    if (relu) Relu::forward(std::vector<Tensor64>{outputs[0]}, outputs);
  }

  [[nodiscard]] std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                           std::span<const TensorSpec> outputs) const {
    return conv.multiply_adds(inputs.first(2), outputs);
  }

  /// Every case of Conv3d with every epilogue, and the layers of SlowOnly-R50 8x8 that carry the time.
  static std::vector<Case<FusedConv3d>> cases();
};

inline std::vector<Case<FusedConv3d>> FusedConv3d::cases() {
  using R = Range;
  std::vector<Case<FusedConv3d>> all;
  const auto add = [&](const std::string& label, const FusedConv3d& op, const Shape& x, const Shape& w,
                       bool full_size) {
    Case<FusedConv3d> c{label, op, {activation(x), weight(w)}, {R::symmetric, R::symmetric}, full_size};
    if (op.norm) {
      c.inputs.insert(c.inputs.end(), 4, per_channel(w[0]));
      c.ranges.insert(c.ranges.end(), {R::positive, R::symmetric, R::symmetric, R::positive});
    }
    if (op.residual) {
      c.inputs.push_back(activation(op.conv.output(x, w)));
      if (op.one_frame_residual) c.inputs.back().shape[1] = 1;
    }
    all.push_back(std::move(c));
  };
  for (const Case<Conv3d>& base : Conv3d::cases()) {
    const Shape &x = base.inputs[0].shape, &w = base.inputs[1].shape;
    add(base.label + "_norm", {.conv = base.op, .norm = true}, x, w, false);
    add(base.label + "_relu", {.conv = base.op, .relu = true}, x, w, false);
    add(base.label + "_norm_relu", {.conv = base.op, .norm = true, .relu = true}, x, w, false);
    add(base.label + "_norm_add_relu", {.conv = base.op, .norm = true, .residual = true, .relu = true}, x, w,
        false);
    add(base.label + "_add", {.conv = base.op, .residual = true}, x, w, false);
    add(base.label + "_add_one_frame", {.conv = base.op, .residual = true, .one_frame_residual = true}, x, w,
        false);
  }
  for (const std::int64_t fold : {2, 5, 8}) {  // in and out of step with vectors of 8 channels
    add("shift_by_" + std::to_string(fold), {.conv = {}, .norm = true, .relu = true, .shift_fold = fold},
        {2, 4, 3, 5, 24}, {16, 24, 1, 1, 1}, false);
  }
  add("shift_one_frame", {.conv = {}, .norm = true, .shift_fold = 4}, {2, 1, 3, 5, 16}, {8, 16, 1, 1, 1},
      false);
  add("shift_strided", {.conv = {.stride = {1, 2, 2}}, .norm = true, .shift_fold = 4}, {1, 3, 5, 6, 16},
      {8, 16, 1, 1, 1}, false);
  const Conv3d spatial{.padding = {0, 1, 1}}, halving{.stride = {1, 2, 2}, .padding = {0, 1, 1}},
      temporal{.padding = {1, 0, 0}};
  add("res2_pointwise_out", {.conv = {}, .norm = true, .residual = true, .relu = true}, {1, 8, 64, 64, 64},
      {256, 64, 1, 1, 1}, true);
  add("res2_spatial", {.conv = spatial, .norm = true, .relu = true}, {1, 8, 64, 64, 64}, {64, 64, 1, 3, 3},
      true);
  add("res4_temporal", {.conv = temporal, .norm = true, .relu = true}, {1, 8, 16, 16, 1024},
      {256, 1024, 3, 1, 1}, true);
  add("res4_spatial", {.conv = spatial, .norm = true, .relu = true}, {1, 8, 16, 16, 256}, {256, 256, 1, 3, 3},
      true);
  add("res4_pointwise_out", {.conv = {}, .norm = true, .residual = true, .relu = true}, {1, 8, 16, 16, 256},
      {1024, 256, 1, 1, 1}, true);
  add("res5_temporal", {.conv = temporal, .norm = true, .relu = true}, {1, 8, 8, 8, 2048},
      {512, 2048, 3, 1, 1}, true);
  add("spatial_modulation", {.conv = halving, .norm = true, .relu = true}, {1, 8, 16, 16, 1024},
      {2048, 1024, 1, 3, 3}, true);
  return all;
}

}  // namespace tpn::ops
