// Bit by bit: IEEE 754 binary16 and bfloat16, rounded to nearest with ties to even.
#include "kernels/half.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tpn {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(Half, RoundsToF16) {
  const std::vector<std::pair<float, std::uint16_t>> table{
      {0.0F, 0x0000},
      {-0.0F, 0x8000},
      {1.0F, 0x3c00},
      {-2.0F, 0xc000},
      {1.0F + 0x1p-11F, 0x3c00},             // a tie, down to even
      {1.0F + 0x3p-11F, 0x3c02},             // a tie, up to even
      {1.0F + 0x1p-11F + 0x1p-23F, 0x3c01},  // just above
      {1.0F + 0x3p-11F - 0x1p-23F, 0x3c01},  // just below
      {2.0F - 0x1p-12F, 0x4000},             // into the next power of two
      {65504.0F, 0x7bff},                    // the largest
      {std::nextafter(65520.0F, 0.0F), 0x7bff},
      {65520.0F, 0x7c00},  // the tie above it, to infinity
      {-65520.0F, 0xfc00},
      {std::nextafter(65600.0F, 0.0F), 0x7c00},  // would be 2^16 with a larger exponent
      {131072.0F, 0x7c00},
      {1e30F, 0x7c00},
      {infinity, 0x7c00},
      {-infinity, 0xfc00},
      {0x1p-14F, 0x0400},             // the smallest normal
      {0x1p-14F - 0x1p-25F, 0x0400},  // a tie between subnormal and normal, to even
      {std::nextafter(0x1p-14F - 0x1p-25F, 0.0F), 0x03ff},
      {0x3ffp-24F, 0x03ff},  // the largest subnormal
      {0x1p-24F, 0x0001},    // the smallest subnormal
      {0x3p-25F, 0x0002},    // 1.5 of them: a tie, up to even
      {0x5p-25F, 0x0002},    // 2.5: a tie, down to even
      {0x1p-25F, 0x0000},    // half of one: a tie, to zero
      {std::nextafter(0x1p-25F, 1.0F), 0x0001},
      {-0x1p-25F, 0x8000},
      {0x1p-26F, 0x0000},
      {std::numeric_limits<float>::denorm_min(), 0x0000},
  };
  for (const auto& [value, bits] : table) EXPECT_EQ(f32_to_f16(value), bits) << value;
  for (const std::uint32_t nan : {0x7f800001U, 0x7fc00000U, 0x7fffffffU, 0xff800001U}) {
    const std::uint16_t bits = f32_to_f16(std::bit_cast<float>(nan));
    EXPECT_EQ(bits & 0x7c00U, 0x7c00U);
    EXPECT_NE(bits & 0x03ffU, 0U) << "NaN became infinity";
    EXPECT_EQ(bits >> 15, nan >> 31);
  }
}

/// Between any two neighbours: up to the middle down, from there up, and from the middle to the even one.
TEST(Half, RoundsToTheNearestF16) {
  constexpr std::uint16_t largest = 0x7bff;
  for (std::uint16_t bits = 0; bits <= largest; ++bits) {
    const std::uint16_t next = bits + 1U;
    const float low = f16_to_f32(bits), high = bits == largest ? 65536.0F : f16_to_f32(next);
    const float middle = (low + high) / 2;  // exact: f32 has more digits
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, low)), bits) << middle;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, high)), next) << middle;
    ASSERT_EQ(f32_to_f16(middle), bits % 2 == 0 ? bits : next) << middle;
    ASSERT_EQ(f32_to_f16(-middle), 0x8000U | (bits % 2 == 0 ? bits : next)) << middle;
  }
}

/// Against the definition: mantissa times a power of two.
TEST(Half, F16IsReadExactly) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const std::uint32_t exponent = bits >> 10 & 0x1fU;
    const auto mantissa = static_cast<float>(bits & 0x3ffU);
    const float value = f16_to_f32(static_cast<std::uint16_t>(bits));
    const float sign = bits & 0x8000U ? -1.0F : 1.0F;
    if (exponent == 31) {
      if (mantissa == 0) {
        EXPECT_EQ(value, sign * infinity);
      } else {
        EXPECT_TRUE(std::isnan(value)) << bits;
      }
      continue;
    }
    const float expected = exponent == 0 ? std::ldexp(mantissa, -24)
                                         : std::ldexp(1024.0F + mantissa, static_cast<int>(exponent) - 25);
    ASSERT_EQ(value, sign * expected) << bits;
    ASSERT_EQ(std::signbit(value), (bits & 0x8000U) != 0) << bits;
    ASSERT_EQ(f32_to_f16(value), bits) << "there and back";
  }
}

TEST(Half, RoundsToBf16) {
  const std::vector<std::pair<std::uint32_t, std::uint16_t>> table{
      {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x3f800000, 0x3f80},
      {0x3f808000, 0x3f80},                                              // a tie, down to even
      {0x3f818000, 0x3f82},                                              // a tie, up to even
      {0x3f808001, 0x3f81}, {0x3f817fff, 0x3f81}, {0x3fffffff, 0x4000},  // into the next power of two
      {0x7f7fffff, 0x7f80},                                              // the largest float: to infinity
      {0x7f7f7fff, 0x7f7f}, {0x7f7f8000, 0x7f80}, {0xff7f8000, 0xff80},
      {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x00000001, 0x0000},
      {0x00008000, 0x0000}, {0x00018000, 0x0002}, {0x007fffff, 0x0080},
  };
  for (const auto& [from, bits] : table)
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(from)), bits) << std::hex << from;
  for (const std::uint32_t nan : {0x7f800001U, 0x7fc00000U, 0x7fffffffU, 0xff800001U}) {
    const std::uint16_t bits = f32_to_bf16(std::bit_cast<float>(nan));
    EXPECT_TRUE(std::isnan(bf16_to_f32(bits))) << std::hex << nan;
    EXPECT_EQ(bits >> 15, nan >> 31);
  }
}

}  // namespace
}  // namespace tpn
