#include "engine/finetuning/epoch_order.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace tpn {
namespace {

std::vector<std::int64_t> labels(std::initializer_list<int> counts) {
  std::vector<std::int64_t> all;
  std::int64_t label = 0;
  for (const int count : counts) all.insert(all.end(), static_cast<std::size_t>(count), label++);
  return all;
}

std::vector<std::size_t> ascending(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

TEST(EpochOrder, TakesEachClipOnceInAnOrderOfTheEpochAndSeed) {
  const auto all = labels({40, 60});
  const auto order = [&](std::int64_t seed, std::int64_t epoch) {
    return epoch_order({.seed = seed}, all, 2, epoch);
  };
  std::vector<std::size_t> sorted = order(1, 0);
  EXPECT_NE(sorted, ascending(100));
  std::ranges::sort(sorted);
  EXPECT_EQ(sorted, ascending(100));
  EXPECT_EQ(order(1, 3), order(1, 3));
  EXPECT_NE(order(1, 3), order(1, 4));
  EXPECT_NE(order(1, 3), order(2, 3));
  EXPECT_EQ(epoch_order({.shuffle = false}, all, 2, 5), ascending(100));
}

TEST(EpochOrder, BalancesClasses) {
  const auto all = labels({90, 0, 9, 1});
  const std::vector<std::size_t> order = epoch_order({.balanced = true}, all, 4, 0);
  ASSERT_EQ(order.size(), 100U);
  std::vector<int> of_class(4), of_clip(100);
  for (const std::size_t clip : order) {
    ++of_class[static_cast<std::size_t>(all[clip])];
    ++of_clip[clip];
  }
  EXPECT_EQ(of_class[1], 0);
  for (const int k : {0, 2, 3}) EXPECT_NEAR(of_class[static_cast<std::size_t>(k)], 100 / 3, 1);
  // No clip of a class comes again before all others did.
  const auto [least, most] = std::minmax_element(of_clip.begin() + 90, of_clip.begin() + 99);
  EXPECT_LE(*most - *least, 1);
  EXPECT_LE(*std::max_element(of_clip.begin(), of_clip.begin() + 90), 1);
}

}  // namespace
}  // namespace tpn
