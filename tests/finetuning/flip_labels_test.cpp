#include "engine/finetuning/flip_labels.h"

#include <gtest/gtest.h>

#include "engine/model/labels.h"

namespace tpn {
namespace {

TEST(FlipLabels, AreThoseOfTheReferenceForSomethingSomething) {
  const FlipLabels found = flip_labels(builtin_labels("something_something_v1"));
  const std::map<std::int64_t, std::int64_t> expected{{2, 4}, {4, 2}, {30, 41}, {41, 30}, {52, 66}, {66, 52}};
  EXPECT_EQ(found.map, expected);
}

TEST(FlipLabels, NameClassesThatHaveNoOtherSide) {
  const FlipLabels found =
      flip_labels({"Left hook", "right hook", "turning left", "jump", "leftovers", "Right hook"});
  EXPECT_EQ(found.map, (std::map<std::int64_t, std::int64_t>{{0, 5}, {5, 0}}));
  EXPECT_EQ(found.without_counterpart, (std::vector<std::int64_t>{1, 2}));
}

}  // namespace
}  // namespace tpn
