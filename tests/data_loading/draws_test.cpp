#include "engine/data/draws.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace tpn {
namespace {

TEST(Draws, DependOnSeedEpochAndPosition) {
  std::set<double> first;
  for (const std::uint64_t seed : {0U, 1U}) {
    for (const std::int64_t epoch : {0, 1}) {
      for (const std::uint64_t position : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32U}) {
        first.insert(Draws(seed, epoch, position).uniform());
        EXPECT_EQ(Draws(seed, epoch, position).uniform(), Draws(seed, epoch, position).uniform());
      }
    }
  }
  EXPECT_EQ(first.size(), 12U);
}

TEST(Draws, AreUniform) {
  constexpr int count = 30000;
  Draws draws(5, 2, 9);
  std::array<int, 10> tenths{};
  std::array<int, 3> thirds{};
  for (int i = 0; i < count; ++i) {
    const double x = draws.uniform();
    ASSERT_TRUE(x >= 0 && x < 1);
    ++tenths[static_cast<std::size_t>(x * 10)];
    const std::int64_t k = draws.below(3);
    ASSERT_TRUE(k >= 0 && k < 3);
    ++thirds[static_cast<std::size_t>(k)];
  }
  for (const int n : tenths) EXPECT_NEAR(n, count / 10, 300);  // six standard deviations
  for (const int n : thirds) EXPECT_NEAR(n, count / 3, 500);
}

TEST(Draws, BelowOneIsZero) {
  Draws draws(1, 1, 1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(draws.below(1), 0);
}

}  // namespace
}  // namespace tpn
