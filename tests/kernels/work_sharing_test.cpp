#include "kernels/work_sharing.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace tpn {
namespace {

TEST(WorkSharing, DoesEveryPieceOnce) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{100}}) {
    for (const int threads : {1, 2, 7}) {
      std::vector<std::atomic<int>> times(count);
      share_work(count, threads, [&](std::size_t i) { ++times.at(i); });
      EXPECT_TRUE(std::ranges::all_of(times, [](const auto& t) { return t == 1; })) << count << threads;
    }
  }
}

TEST(WorkSharing, ThrowsOnWhatAPieceThrows) {
  for (const int threads : {1, 3}) {
    std::atomic<int> done{0};
    try {
      share_work(1000000, threads, [&](std::size_t i) {
        if (i == 5) throw std::runtime_error("the fifth");
        ++done;
      });
      FAIL() << "nothing was thrown with " << threads;
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()), "the fifth");
    }
    EXPECT_LT(done, 1000000 - 1) << threads;
  }
}

}  // namespace
}  // namespace tpn
