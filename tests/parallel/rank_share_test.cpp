#include "engine/parallel/rank_share.h"

#include <vector>

#include <gtest/gtest.h>

namespace tpn {
namespace {

TEST(RankShare, TakesEveryPositionOnceInTurns) {
  for (std::int64_t ranks = 1; ranks <= 5; ++ranks) {
    for (std::int64_t count = 0; count <= 20; ++count) {
      std::vector<int> taken(static_cast<std::size_t>(count));
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const std::int64_t turns = RankOf{rank, ranks}.turns(count);
        EXPECT_LE(turns, (count + ranks - 1) / ranks);
        EXPECT_GE(turns, count / ranks);
        for (std::int64_t i = 0; i < turns; ++i) ++taken.at(static_cast<std::size_t>(rank + i * ranks));
      }
      EXPECT_EQ(taken, std::vector<int>(taken.size(), 1)) << ranks << " ranks, " << count << " positions";
    }
  }
}

TEST(RankShare, DividesIntoStretches) {
  for (std::int64_t ranks = 1; ranks <= 5; ++ranks) {
    for (std::int64_t count = 0; count <= 20; ++count) {
      std::int64_t at = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const auto [first, end] = RankOf{rank, ranks}.stretch(count);
        EXPECT_EQ(first, at);
        EXPECT_LE(end - first, (count + ranks - 1) / ranks);
        at = end;
      }
      EXPECT_EQ(at, count);
    }
  }
}

}  // namespace
}  // namespace tpn
