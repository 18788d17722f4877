// Temporal shift (TSM): channels [0, fold) take the value of the next frame, [fold, 2 fold) that of the
// previous one, zero past the ends; the other channels stay. "TSM: Temporal Shift Module for Efficient Video
// Understanding", section 3.
#pragma once

#include "kernels/ops/op.h"

namespace tpn::ops {

/// Input: x (N,T,H,W,C), 2 fold <= C. Output: y, shaped as x.
struct TemporalShift {
  static constexpr std::string_view name = "temporal_shift";

  std::int64_t fold = 0;

  bool operator==(const TemporalShift&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 1);
    check_activation(name, inputs, 0);
    if (fold < 0 || 2 * fold > inputs[0].shape[4]) {
      throw Error("temporal_shift: " + std::to_string(inputs[0].shape[4]) +
                  " channels cannot be shifted by folds of " + std::to_string(fold) + ".");
    }
    return {inputs[0]};
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64& x = inputs[0];
    Tensor64& y = outputs[0];
    for (std::int64_t n = 0; n < y.shape[0]; ++n)
      for (std::int64_t t = 0; t < y.shape[1]; ++t)
        for (std::int64_t h = 0; h < y.shape[2]; ++h)
          for (std::int64_t w = 0; w < y.shape[3]; ++w)
            for (std::int64_t c = 0; c < y.shape[4]; ++c) {
              const std::int64_t from = c < fold ? t + 1 : c < 2 * fold ? t - 1 : t;
              y.at(n, t, h, w, c) = from < 0 || from >= x.shape[1] ? 0.0 : x.at(n, from, h, w, c);
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

  static std::vector<Case<TemporalShift>> cases() {
    return {{"eighth", {.fold = 4}, {activation({2, 8, 3, 2, 32})}},
            {"no_fold", {.fold = 0}, {activation({1, 4, 2, 2, 6})}},
            {"odd_fold", {.fold = 3}, {activation({1, 5, 2, 3, 13})}},
            {"one_frame", {.fold = 2}, {activation({2, 1, 2, 2, 8})}},
            {"shared_out", {.fold = 4}, {activation({1, 4, 16, 17, 32})}},
            {"res2", {.fold = 32}, {activation({1, 8, 64, 64, 256})}, {}, true}};
  }
};

/// The gradient of TemporalShift: what came from the next frame goes back to it, so that channels [0, fold)
/// of dx are dy's of the previous frame, [fold, 2 fold) those of the next, zero past the ends.
/// Input: dy (N,T,H,W,C), 2 fold <= C. Output: dx, shaped as dy.
struct TemporalShiftGradient {
  static constexpr std::string_view name = "temporal_shift_gradient";

  std::int64_t fold = 0;

  bool operator==(const TemporalShiftGradient&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    return TemporalShift{fold}.infer(inputs);
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const Tensor64& dy = inputs[0];
    Tensor64& dx = outputs[0];
    for (std::int64_t n = 0; n < dx.shape[0]; ++n)
      for (std::int64_t t = 0; t < dx.shape[1]; ++t)
        for (std::int64_t h = 0; h < dx.shape[2]; ++h)
          for (std::int64_t w = 0; w < dx.shape[3]; ++w)
            for (std::int64_t c = 0; c < dx.shape[4]; ++c) {
              const std::int64_t from = c < fold ? t - 1 : c < 2 * fold ? t + 1 : t;
              dx.at(n, t, h, w, c) = from < 0 || from >= dy.shape[1] ? 0.0 : dy.at(n, from, h, w, c);
            }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<TemporalShiftGradient>> cases() {
    return {{"eighth", {.fold = 4}, {activation({2, 8, 3, 2, 32})}},
            {"odd_fold", {.fold = 3}, {activation({1, 5, 2, 3, 13})}},
            {"one_frame", {.fold = 2}, {activation({2, 1, 2, 2, 8})}},
            {"res2", {.fold = 32}, {activation({1, 8, 64, 64, 256})}, {}, true}};
  }
};

template <class Gradients>
void TemporalShift::differentiate(Gradients& g) const {
  if (g.wants(0)) g.set_gradient(0, g.apply(TemporalShiftGradient{fold}, {g.output_gradient()})[0]);
}

}  // namespace tpn::ops
