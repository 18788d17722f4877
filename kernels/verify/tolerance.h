// Every tolerance of the tests, with its reason.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "kernels/tensor.h"

namespace tpn::verify {

/// |found - expected| relative to |expected|, both as Euclidean norms over the whole tensor. 0 for two zero
/// tensors.
inline double relative_l2(std::span<const float> found, std::span<const float> expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

inline double max_abs_difference(std::span<const float> found, std::span<const float> expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(static_cast<double>(found[i]) - expected[i]);
    if (!(difference <= worst)) worst = difference;  // NaN counts as worst
  }
  return worst;
}

/// One operation in f32: sums of up to a few thousand products in another order, at 2^-24 each. Winograd's
/// transforms on the CPU multiply by at most 8 and stay below it too: 1.1e-6 at worst.
inline constexpr double op_f32_relative_l2 = 2e-6;

/// One operation in bf16, inputs already rounded to bf16: one rounding of the result at 2^-9 at most, half of
/// that on average, twice where a residual is added. Where the CPU multiplies bf16, Winograd's transforms are
/// rounded too: 3.2e-3 over time, 4.3e-3 over space.
inline constexpr double op_bf16_relative_l2 = 5e-3;

/// One operation in f16, inputs already rounded: as in bf16, with roundings at 2^-12 at most.
inline constexpr double op_f16_relative_l2 = 5e-4;

/// One operation in tf32: both factors of every product are rounded at 2^-11 at most, by 2e-4 on average, and
/// errors of different products average out as the products themselves do.
inline constexpr double op_tf32_relative_l2 = 6e-4;

/// A feature of a network in f32: eight times the deviation that PyTorch's own f32 shows from f64 on the same
/// input (recorded with each golden), since another summation order is as good as PyTorch's.
inline constexpr double golden_f32_factor = 8;

/// A feature of a network in bf16. The networks of the goldens amplify a disturbance by up to a hundred;
/// rounding their weights alone to bf16 moves the last features by 3e-2 to 1e-1. So a feature may deviate by
/// 2e-2, or by three times as much as the same network computed in double with every weight and activation
/// rounded to bf16: two series of roundings are two draws, amplified in few directions, so that their norms
/// scatter.
inline constexpr double golden_bf16_relative_l2 = 2e-2;
inline constexpr double golden_storage_factor = 3;

/// A gradient of a step in bf16, to the reference's from the same rounded values, for the best of a few
/// inputs. One of the 100,000 values of the backbone that is rounded the other way, which a different last
/// bit of f32 does now and then, moves gradients by 0.2 to 0.5; a term that is missing moves them by 1, a
/// wrong sign by 2. How close single operations are in bf16, op_test tells.
inline constexpr double train_bf16_relative_l2 = 0.5;

/// The same with products rounded to tf32, to the reference without: every value is a little off.
inline constexpr double train_tf32_relative_l2 = 0.8;

/// The same in f16, and in tf32, which keeps as many bits of every product's operands: an eighth of bf16's
/// rounding.
inline constexpr double golden_f16_relative_l2 = 2e-3;

/// A feature computed in f64 and stored as f32: one rounding of the result, and one of the expected value.
inline constexpr double golden_f64_relative_l2 = 2e-7;

/// Two f32 computations of a whole tiny network in different orders of summation: 2^-24, amplified by up to a
/// hundred.
inline constexpr double network_f32_relative_l2 = 2e-5;

/// f16, and tf32, against f32 on such a network: an eighth of bf16's rounding.
inline constexpr double unfused_f16_relative_l2 = 2e-2;

/// The logits of a full-size network in f16, weights and activations rounded at 2^-11 in each of some 60
/// layers, against f32.
inline constexpr double full_size_f16_relative_l2 = 1e-2;

/// A gradient of a step in f16 of a network with all of its channels, to that in f32. Values that a rounding
/// moves over the zero of a ReLU let their gradients through or not: up to 8e-2 behind 40 layers. Without one
/// of nine taps it would be off by 3e-1.
inline constexpr double full_width_gradient_f16_relative_l2 = 0.15;

/// bf16 with and without rounding between the operations of a fused one, on a network that amplifies it.
inline constexpr double unfused_bf16_relative_l2 = 1e-1;

/// Every gradient of a step in f32, to that of an unfused plan: sums in another order, amplified by up to a
/// thousand.
inline constexpr double train_f32_relative_l2 = 1e-3;

/// All gradients of a step in bf16 as one vector, to those in f32. They differ by 0.6 to 0.75 (a full-size
/// network and a tiny one, random weights, two clips): rounding changes which of many nearly equal paths are
/// taken. Gradients that have nothing to do with each other differ by 1.4, opposite ones by 2.
inline constexpr double unfused_train_bf16_relative_l2 = 1;

}  // namespace tpn::verify
