#include "engine/recognize/consensus.h"

#include <cmath>
#include <limits>
#include <memory>

#include <gtest/gtest.h>

#include "engine/recognize/tpn.h"

namespace tpn {
namespace {

const std::vector<float> two_views{0, 1, 2, 1, 1, 4};

TEST(Consensus, AveragesProbabilities) {
  const std::vector<float> scores = average_views(two_views, 3, "prob");
  ASSERT_EQ(scores.size(), 3U);
  const double e = std::exp(1.0);
  const double first = 1 + e + e * e;
  const double second = e + e + std::pow(e, 4);
  EXPECT_FLOAT_EQ(scores[0], static_cast<float>((1 / first + e / second) / 2));
  EXPECT_FLOAT_EQ(scores[1], static_cast<float>((e / first + e / second) / 2));
  EXPECT_FLOAT_EQ(scores[2], static_cast<float>((e * e / first + std::pow(e, 4) / second) / 2));
  EXPECT_EQ(average_views(two_views, 3, "none"), scores);
}

TEST(Consensus, AveragesLogits) {
  EXPECT_EQ(average_views(two_views, 3, "score"), (std::vector<float>{0.5F, 1, 3}));
}

TEST(Recognition, OrdersTheBestClasses) {
  Recognition recognition;
  recognition.scores = {0.1F, 0.3F, std::numeric_limits<float>::quiet_NaN(), 0.3F, 0.2F};
  recognition.labels =
      std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"a", "b", "c", "d", "e"});
  const auto indices = [&](int count) {
    std::vector<int> found;
    for (const Prediction& p : recognition.top(count)) found.push_back(p.index);
    return found;
  };
  EXPECT_EQ(indices(3), (std::vector<int>{1, 3, 4}));
  EXPECT_EQ(indices(9), (std::vector<int>{1, 3, 4, 0, 2}));
  EXPECT_EQ(indices(0), std::vector<int>());
  EXPECT_EQ(indices(-1), std::vector<int>());
  EXPECT_EQ(recognition.top(1).front().label, "b");
  EXPECT_EQ(recognition.top(1).front().score, 0.3F);
  recognition.labels = nullptr;
  EXPECT_EQ(recognition.top(1).front().label, "");
}

}  // namespace
}  // namespace tpn
