// The end of the networks in one operation: y = linear(global_avg_pool(x), weight, bias).
#pragma once

#include "kernels/ops/global_avg_pool.h"
#include "kernels/ops/linear.h"

namespace tpn::ops {

/// Inputs: x (N,T,H,W,C), weight (K,C), bias (K). Output: logits (N,K).
struct Classifier {
  static constexpr std::string_view name = "classifier";

  bool operator==(const Classifier&) const = default;

  [[nodiscard]] static std::vector<Shape> infer(std::span<const Shape> inputs) {
    check_input_count(name, inputs, 3);
    check_rank(name, inputs, 0, 5);
    check_rank(name, inputs, 1, 2);
    std::vector<Shape> shapes = GlobalAvgPool::infer(inputs.first(1));
    shapes.insert(shapes.end(), inputs.begin() + 1, inputs.end());
    check_shape(name, inputs, 1, {inputs[1][0], inputs[0][4]});
    return Linear::infer(shapes);
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    std::vector<Tensor64> operands{Tensor64(Shape{inputs[0].shape[0], inputs[0].shape[4]})};
    GlobalAvgPool::forward(inputs.first(1), operands);
    operands.insert(operands.end(), inputs.begin() + 1, inputs.end());
    Linear::forward(operands, outputs);
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const Shape> inputs,
                                                  std::span<const Shape> outputs) {
    return outputs[0].count() * inputs[0][4];
  }

  static std::vector<Case<Classifier>> cases() {
    return {{"vectors", {}, {{2, 2, 3, 4, 32}, {33, 32}, {33}}},
            {"tail", {}, {{3, 1, 2, 2, 11}, {7, 11}, {7}}},
            {"one_pixel", {}, {{1, 1, 1, 1, 64}, {5, 64}, {5}}},
            {"many_classes", {}, {{2, 1, 3, 3, 40}, {174, 40}, {174}}},
            {"kinetics", {}, {{30, 1, 8, 8, 2048}, {400, 2048}, {400}}, {}, true}};
  }
};

}  // namespace tpn::ops
