#include "benchmarks/statistics.h"

#include <gtest/gtest.h>

#include "kernels/error.h"

namespace tpn::benchmarks {
namespace {

TEST(Statistics, OfAnOddNumber) {
  const Statistics s = summarize({5, 1, 3});
  EXPECT_EQ(s.count, 3U);
  EXPECT_EQ(s.best, 1);
  EXPECT_EQ(s.median, 3);
  EXPECT_EQ(s.p99, 5);
  EXPECT_EQ(s.spread, 2);  // of the deviations 2, 2, 0
}

TEST(Statistics, OfAnEvenNumber) {
  const Statistics s = summarize({4, 1, 2, 9});
  EXPECT_EQ(s.median, 3);
  EXPECT_EQ(median({4, 1, 2, 9}), 3);
  EXPECT_EQ(s.spread, 1.5);  // of the deviations 1, 2, 1, 6
}

TEST(Statistics, NinetyNinePercentAreNotAboveTheP99) {
  std::vector<double> seconds;
  for (int i = 200; i > 0; --i) seconds.push_back(i);
  EXPECT_EQ(summarize(seconds).p99, 198);
}

TEST(Statistics, OfNothingIsAnError) {
  EXPECT_THROW(summarize({}), Error);
  EXPECT_THROW(median({}), Error);
}

}  // namespace
}  // namespace tpn::benchmarks
