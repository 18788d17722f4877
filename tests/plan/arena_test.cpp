#include "engine/plan/arena.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace tpn {
namespace {

/// The largest sum of bytes that are alive at one step: no layout can be smaller.
std::size_t lower_bound(std::span<const Lifetime> tensors, std::size_t alignment) {
  std::size_t worst = 0;
  for (const Lifetime& moment : tensors) {
    std::size_t alive = 0;
    for (const Lifetime& t : tensors) {
      if (t.first <= moment.first && moment.first <= t.last)
        alive += (t.bytes + alignment - 1) / alignment * alignment;
    }
    worst = std::max(worst, alive);
  }
  return worst;
}

void expect_valid(std::span<const Lifetime> tensors, const ArenaLayout& layout, std::size_t alignment) {
  ASSERT_EQ(layout.offsets.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(layout.offsets[i] % alignment, 0U);
    EXPECT_LE(layout.offsets[i] + tensors[i].bytes, layout.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (tensors[i].first > tensors[j].last || tensors[j].first > tensors[i].last) continue;
      const bool apart = layout.offsets[i] + tensors[i].bytes <= layout.offsets[j] ||
                         layout.offsets[j] + tensors[j].bytes <= layout.offsets[i];
      EXPECT_TRUE(apart) << i << " and " << j << " share memory while both live";
    }
  }
}

TEST(Arena, ReusesMemoryOfWhatIsNoLongerAlive) {
  const std::vector<Lifetime> chain{{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}, {1000, 3, 4}};
  const ArenaLayout layout = plan_arena(chain, 64);
  expect_valid(chain, layout, 64);
  EXPECT_EQ(layout.bytes, 2U * 1024U);
}

/// Like a step of training: three activations that live until their layer's backward pass, and the gradients
/// of the layers' weights, which live from there to the end. Placed by size alone, they take 24 KiB.
TEST(Arena, LeavesNoGapsAtTheFullestStep) {
  std::vector<Lifetime> tensors{{2, 0, 6}, {6, 1, 5}, {9, 2, 4}, {1, 4, 7}, {7, 5, 7}, {8, 6, 7}};
  for (Lifetime& tensor : tensors) tensor.bytes *= 1024;
  const ArenaLayout layout = plan_arena(tensors, 64);
  expect_valid(tensors, layout, 64);
  EXPECT_EQ(layout.bytes, 18U * 1024U);
  EXPECT_EQ(lower_bound(tensors, 64), layout.bytes);
}

TEST(Arena, KeepsRandomLifetimesApart) {
  std::mt19937 generator(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<Lifetime> tensors(1 + generator() % 60);
    for (Lifetime& t : tensors) {
      t.bytes = generator() % 5000;
      t.first = static_cast<int>(generator() % 40);
      t.last = t.first + static_cast<int>(generator() % 8);
    }
    for (const std::size_t alignment : {64, 256}) {
      const ArenaLayout layout = plan_arena(tensors, alignment);
      expect_valid(tensors, layout, alignment);
      EXPECT_LE(layout.bytes, 2 * lower_bound(tensors, alignment));
    }
  }
}

TEST(Arena, OfNothingIsEmpty) {
  EXPECT_EQ(plan_arena({}, 256).bytes, 0U);
}

}  // namespace
}  // namespace tpn
