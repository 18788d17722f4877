#include "engine/finetuning/flip_labels.h"

#include <gtest/gtest.h>

#include "engine/model/labels.h"
#include "kernels/error.h"

namespace tpn {
namespace {

TEST(FlipLabels, AreThoseOfTheReferenceForSomethingSomething) {
  const FlipLabels found = flip_labels("auto", builtin_labels("something_something_v1"));
  const std::map<std::int64_t, std::int64_t> expected{{2, 4}, {4, 2}, {30, 41}, {41, 30}, {52, 66}, {66, 52}};
  EXPECT_EQ(found.map, expected);
}

TEST(FlipLabels, NameClassesThatHaveNoOtherSide) {
  const FlipLabels found =
      flip_labels("auto", {"Left hook", "right hook", "turning left", "jump", "leftovers", "Right hook"});
  EXPECT_EQ(found.map, (std::map<std::int64_t, std::int64_t>{{0, 5}, {5, 0}}));
  EXPECT_EQ(found.without_counterpart, (std::vector<std::int64_t>{1, 2}));
}

const std::vector<std::string> sides{"turn left", "turn right", "jump", "links", "rechts"};

TEST(FlipLabels, AreThoseThatAreGiven) {
  const FlipLabels given = flip_labels("3:4", sides);
  EXPECT_TRUE(given.mirrors);
  EXPECT_EQ(given.map, (std::map<std::int64_t, std::int64_t>{{3, 4}, {4, 3}})) << "and no others";
  EXPECT_EQ(given.without_counterpart, std::vector<std::int64_t>());
  EXPECT_EQ(flip_labels("0:1,4:3", sides).map,
            (std::map<std::int64_t, std::int64_t>{{0, 1}, {1, 0}, {3, 4}, {4, 3}}));
}

TEST(FlipLabels, CanBeLeftAsTheyAre) {
  EXPECT_TRUE(flip_labels("keep", sides).mirrors);
  EXPECT_TRUE(flip_labels("keep", sides).map.empty());
  EXPECT_FALSE(flip_labels("off", sides).mirrors);
  EXPECT_TRUE(flip_labels("off", {"left"}).without_counterpart.empty()) << "nothing is mirrored";
}

/// The message about such a map.
std::string refusal(const std::string& how) {
  try {
    (void)flip_labels(how, sides);
  } catch (const Error& error) {
    return error.what();
  }
  return "taken";
}

TEST(FlipLabels, WhatIsNoMapIsRefused) {
  for (const char* how : {"", "on", "3", "3:", ":4", "3:4,", "3:4:0", "3:4;0:1", "a:b"}) {
    EXPECT_NE(refusal(how).find("pairs of classes that change places, like 2:4,30:41"), std::string::npos)
        << how;
  }
  EXPECT_EQ(refusal("3:5"), "--flip names class 5, and there are 5 classes, counted from 0.");
  EXPECT_EQ(refusal("-1:2"), "--flip names class -1, and there are 5 classes, counted from 0.");
  EXPECT_EQ(refusal("0:1,1:2"), "--flip names class 1 twice.");
  EXPECT_EQ(refusal("2:2"), "--flip names class 2 twice.");
}

}  // namespace
}  // namespace tpn
