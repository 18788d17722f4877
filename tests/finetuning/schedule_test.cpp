#include "engine/finetuning/schedule.h"

#include <gtest/gtest.h>

namespace tpn {
namespace {

TEST(Schedule, FallsAtMilestones) {
  const Recipe recipe{.epochs = 10, .lr = 0.5, .schedule = Schedule::multistep, .milestones = {4, 8}};
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 0), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 3.999), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 4), 0.05);
  EXPECT_NEAR(learning_rate(recipe, 9.5), 0.005, 1e-15);
}

TEST(Schedule, FallsAlongACosine) {
  const Recipe recipe{.epochs = 10, .lr = 0.5};
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 0), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 5), 0.25);
  EXPECT_NEAR(learning_rate(recipe, 10), 0, 1e-15);
  EXPECT_NEAR(learning_rate(recipe, 2.5), 0.25 * (1 + 0.70710678118654752), 1e-12);
}

TEST(Schedule, WarmsUpFromATenth) {
  const Recipe recipe{
      .epochs = 10, .lr = 0.5, .schedule = Schedule::multistep, .warmup = 2, .milestones = {1}};
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 0), 0.05);
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 0.5), 0.5 * (0.1 + 0.9 / 4));
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 1), 0.5 * 0.1 * 0.55);
  EXPECT_DOUBLE_EQ(learning_rate(recipe, 2), 0.05);
}

}  // namespace
}  // namespace tpn
