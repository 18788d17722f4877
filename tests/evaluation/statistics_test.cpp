#include "engine/evaluation/statistics.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

namespace tpn {
namespace {

void expect_interval(const Interval& interval, double low, double high) {
  EXPECT_NEAR(interval.low, low, 1e-12);
  EXPECT_NEAR(interval.high, high, 1e-12);
}

// Values from the formulas in another language's double precision.
TEST(WilsonInterval, HasItsPublishedValues) {
  expect_interval(wilson_interval({8, 10}), 0.4901624715366418, 0.9433178485456247);
  expect_interval(wilson_interval({50, 100}), 0.4038315303659957, 0.5961684696340044);
  expect_interval(wilson_interval({3, 7}), 0.15821985525146973, 0.7495416354723429);
}

TEST(WilsonInterval, EndsWhereSharesEnd) {
  const Interval none = wilson_interval({0, 10});
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.2775327998628892, 1e-12);
  const Interval all = wilson_interval({10, 10});
  EXPECT_EQ(all.high, 1);
  EXPECT_NEAR(all.low, 1 - 0.2775327998628892, 1e-12);
  expect_interval(wilson_interval({0, 0}), 0, 1);
}

TEST(MeanInterval, AddsTheVariancesOfClasses) {
  expect_interval(mean_interval(std::array<Proportion, 2>{{{8, 10}, {5, 20}}}), 0.37538346547201684,
                  0.6746165345279832);
}

TEST(MeanInterval, DoesNotTakeFewRightVideosForCertain) {
  expect_interval(mean_interval(std::array<Proportion, 2>{{{3, 3}, {3, 3}}}), 0.7619008459027901, 1);
  expect_interval(mean_interval({}), 0, 1);
  // A class that was only guessed counts as 0.
  const Interval with_guessed = mean_interval(std::array<Proportion, 2>{{{8, 10}, {0, 0}}});
  EXPECT_NEAR((with_guessed.low + with_guessed.high) / 2, 0.4, 1e-12);
}

TEST(McNemar, IsTheBinomialTail) {
  EXPECT_NEAR(mcnemar_exact(1, 6), 2.0 * (1 + 7) / 128, 1e-12);
  EXPECT_NEAR(mcnemar_exact(6, 1), 2.0 * (1 + 7) / 128, 1e-12);
  EXPECT_NEAR(mcnemar_exact(0, 5), 2.0 / 32, 1e-12);
  EXPECT_EQ(mcnemar_exact(3, 3), 1);
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  // Of many the normal approximation with continuity correction is near.
  const double corrected = std::erfc((1100 - 1000 - 1) / std::sqrt(2.0 * 2100));
  EXPECT_NEAR(mcnemar_exact(1100, 1000), corrected, 0.001);
}

}  // namespace
}  // namespace tpn
