// Dropout: elements are zeroed at random, the others scaled so that the mean stays ("Dropout: a simple way to
// prevent neural networks from overfitting", 2014).
#pragma once

#include "kernels/ops/op.h"
#include "kernels/philox.h"

namespace tpn::ops {

/// Inputs: x (N,C) or (N,T,H,W,C); the random state, (2) i64: seed and number of the step. Output: y, shaped
/// as x: x / (1 - rate), or 0 with probability `rate`. Whether an element is kept depends on the state, the
/// layer and its place alone.
struct Dropout {
  static constexpr std::string_view name = "dropout";

  double rate = 0.5;
  std::uint32_t layer = 0;  ///< tells layers apart that see the same state

  bool operator==(const Dropout&) const = default;

  [[nodiscard]] std::vector<TensorSpec> infer(std::span<const TensorSpec> inputs) const {
    check_input_count(name, inputs, 2);
    check_spec(name, inputs, 1, indices({2}, DType::i64));
    if (!(rate >= 0 && rate < 1)) {
      throw Error("dropout: the rate must be at least 0 and below 1; it is " + std::to_string(rate) + ".");
    }
    return {inputs[0]};
  }

  /// Whether the element of that index is kept.
  [[nodiscard]] TPN_HOST_DEVICE bool keeps(std::int64_t seed, std::int64_t step, std::int64_t element) const {
    const auto low = [](std::int64_t x) { return static_cast<std::uint32_t>(x); };
    const auto high = [](std::int64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    // One in four numbers would do; a number of its own makes each element simple.
    const std::uint32_t drawn =
        philox({low(element), high(element), low(step), high(step) ^ layer}, {low(seed), high(seed)})[0];
    return static_cast<double>(drawn) >= rate * 4294967296.0;
  }

  void forward(std::span<const Tensor64> inputs, std::span<Tensor64> outputs) const {
    const auto seed = static_cast<std::int64_t>(inputs[1].data[0]),
               step = static_cast<std::int64_t>(inputs[1].data[1]);
    for (std::size_t i = 0; i < inputs[0].data.size(); ++i) {
      outputs[0].data[i] =
          keeps(seed, step, static_cast<std::int64_t>(i)) ? inputs[0].data[i] / (1 - rate) : 0.0;
    }
  }

  [[nodiscard]] static std::int64_t multiply_adds(std::span<const TensorSpec>, std::span<const TensorSpec>) {
    return 0;
  }

  static std::vector<Case<Dropout>> cases() {
    const TensorSpec state = indices({2}, DType::i64);
    return {{"half", {}, {matrix({4, 512}), state}},
            {"second_layer", {.rate = 0.25, .layer = 1}, {matrix({3, 37}), state}},
            {"none", {.rate = 0}, {matrix({2, 40}), state}}};
  }

  static void constrain(std::span<Tensor64> inputs) { inputs[1].data = {1234567890123.0, 42}; }

  /// The same elements are kept, and scaled as x was.
  template <class Gradients>
  void differentiate(Gradients& g) const {
    if (g.wants(0)) g.set_gradient(0, g.apply(*this, {g.output_gradient(), g.input(1)})[0]);
  }
};

}  // namespace tpn::ops
