// Random words for the inputs of primitives.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <random>

namespace tpn::test {

/// The next word of an input.
using Draw = std::function<std::uint32_t(std::mt19937&)>;

inline std::uint32_t any_bits(std::mt19937& random) {
  return static_cast<std::uint32_t>(random());
}

/// A float that is no NaN (whose bits no two machines share), half of them within the range of f16.
inline std::uint32_t any_float(std::mt19937& random) {
  const auto bits = static_cast<std::uint32_t>(random());
  const std::uint32_t exponent = (bits & 1U) != 0 ? 100 + (bits >> 23) % 48 : (bits >> 23) % 255;
  return (bits & 0x807fffffU) | exponent << 23;
}

/// In [-1, 1).
inline float unit(std::mt19937& random) {
  return static_cast<float>(static_cast<std::int32_t>(random()) >> 7) * 0x1p-24F;
}
inline std::uint32_t unit_float(std::mt19937& random) {
  return std::bit_cast<std::uint32_t>(unit(random));
}
inline std::uint32_t unit_tf32(std::mt19937& random) {
  return unit_float(random) & 0xffffe000U;
}
template <class T>
inline std::uint32_t unit_halves(std::mt19937& random) {
  const std::uint32_t low = T(unit(random)).bits;
  const std::uint32_t high = T(unit(random)).bits;
  return low | high << 16;
}

}  // namespace tpn::test
