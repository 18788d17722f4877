// The two 16-bit floating types and their conversions from and to float.
#pragma once

#include <bit>
#include <cstdint>

namespace tpn {

/// Exact.
constexpr float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

/// Rounds to nearest, ties to even; NaN stays NaN.
constexpr std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = bits + 0x7fffU + (bits >> 16 & 1U);
  const bool is_nan = (bits & 0x7fffffffU) > 0x7f800000U;
  return static_cast<std::uint16_t>((is_nan ? bits | 0x400000U : rounded) >> 16);
}

/// Exact, subnormals included.
constexpr float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1fU;
  const std::uint32_t mantissa = bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;  // subnormal or zero
  return sign ? -magnitude : magnitude;
}

/// Rounds to nearest, ties to even; overflows to infinity; NaN stays NaN.
constexpr std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);  // 65520 and above
  if (magnitude < 0x38800000U) {  // below 2^-14: a multiple of 2^-24
    const std::uint32_t shift = 126U - (magnitude >> 23);
    if (shift > 24) return static_cast<std::uint16_t>(sign);
    const std::uint32_t mantissa = (magnitude & 0x7fffffU) | 0x800000U;
    const std::uint32_t half = 1U << (shift - 1);
    const std::uint32_t quotient = mantissa >> shift;
    const std::uint32_t remainder = mantissa & ((1U << shift) - 1);
    const bool up = remainder > half || (remainder == half && (quotient & 1U));
    return static_cast<std::uint16_t>(sign | (quotient + (up ? 1U : 0U)));
  }
  const std::uint32_t rounded = magnitude + 0xfffU + (magnitude >> 13 & 1U);
  return static_cast<std::uint16_t>(sign | (rounded - (112U << 23)) >> 13);
}

/// A bf16 element of a tensor. Converts from and to float like a built-in type.
struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  explicit constexpr Bf16(float value) : bits(f32_to_bf16(value)) {}
  explicit constexpr operator float() const { return bf16_to_f32(bits); }
};

/// An f16 element of a tensor.
struct F16 {
  std::uint16_t bits = 0;

  F16() = default;
  explicit constexpr F16(float value) : bits(f32_to_f16(value)) {}
  explicit constexpr operator float() const { return f16_to_f32(bits); }
};

}  // namespace tpn
