// The end of the networks in one operation: y = linear(global_avg_pool(x), weight, bias).
#pragma once

#include "kernels/ops/global_avg_pool.h"
#include "kernels/ops/linear.h"

namespace tpn::ops {

/// Inputs: x (N,T,H,W,C), weight (K,C), bias (K). Output: logits (N,K).
struct Classifier {
  static constexpr std::string_view name = "classifier";

  bool operator==(const Classifier&) const = default;

  [[nodiscard]] static std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) {
    check_input_count(name, inputs, 3);
    check_activation(name, inputs, 0);
    std::vector<TensorSpec> operands = GlobalAvgPool::infer(inputs.first(1));
    operands.insert(operands.end(), inputs.begin() + 1, inputs.end());
    return Linear::infer(operands);
  }

  static void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) {
    std::vector<Tensor64> operands{Tensor64(Shape{inputs[0].shape[0], inputs[0].shape[4]})};
    GlobalAvgPool::forward(inputs.first(1), operands);
    operands.insert(operands.end(), inputs.begin() + 1, inputs.end());
    Linear::forward(operands, outputs);
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec> inputs,
                                                  std::span<const TensorSpec> outputs) {
    return outputs[0].shape.count() * inputs[0].shape[4];
  }

  static std::vector<Case<Classifier>> cases() {
    const auto inputs = [](const Shape& x, std::int64_t classes) {
      return std::vector<TensorSpec>{activation(x), weight({classes, x[4]}), per_channel(classes)};
    };
    return {{"vectors", {}, inputs({2, 2, 3, 4, 32}, 33)},
            {"tail", {}, inputs({3, 1, 2, 2, 11}, 7)},
            {"one_pixel", {}, inputs({1, 1, 1, 1, 64}, 5)},
            {"many_classes", {}, inputs({2, 1, 3, 3, 40}, 174)},
            {"kinetics", {}, inputs({30, 1, 8, 8, 2048}, 400), {}, true}};
  }
};

}  // namespace tpn::ops
