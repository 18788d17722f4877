#include "engine/report/class_scores.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace tpn {
namespace {

// Rows are classes: 10 clips of class 0, none of class 1, 4 of class 2; nothing is taken for class 2.
const std::vector<std::int64_t> confusion = {7, 3, 0,  //
                                             0, 0, 0,  //
                                             1, 3, 0};

TEST(ClassScores, RowsAreClasses) {
  const auto scores = class_scores(confusion, 3);
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_EQ(scores[0].samples, 10);
  EXPECT_EQ(scores[0].guesses, 8);
  EXPECT_EQ(scores[0].hits, 7);
  EXPECT_DOUBLE_EQ(scores[0].recall(), 0.7);
  EXPECT_DOUBLE_EQ(scores[0].precision(), 7.0 / 8);
  EXPECT_TRUE(std::isnan(scores[1].recall()));
  EXPECT_EQ(scores[1].precision(), 0);
  EXPECT_EQ(scores[2].recall(), 0);
  EXPECT_TRUE(std::isnan(scores[2].precision()));
}

TEST(ClassScores, LargestConfusionsComeFirst) {
  const auto pairs = largest_confusions(confusion, 3, 2);
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[0].label, 0U);
  EXPECT_EQ(pairs[0].guess, 1U);
  EXPECT_EQ(pairs[0].count, 3);
  EXPECT_EQ(pairs[1].label, 2U);
  EXPECT_EQ(pairs[1].guess, 1U);
  EXPECT_EQ(largest_confusions(confusion, 3, 9).size(), 3U);
}

TEST(ClassScores, WhatAClassIsMostlyTakenFor) {
  const auto worst = largest_confusion_of(confusion, 3, 2);
  ASSERT_TRUE(worst);
  EXPECT_EQ(worst->guess, 1U);
  EXPECT_EQ(worst->count, 3);
  EXPECT_FALSE(largest_confusion_of(confusion, 3, 1));
}

}  // namespace
}  // namespace tpn
