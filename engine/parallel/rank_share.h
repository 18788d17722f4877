// Which part of some work a process does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace tpn {

/// One process of several.
struct RankOf {
  std::int64_t rank = 0;
  std::int64_t ranks = 1;

  /// Of positions [0, count) that the ranks take in turns, how many are this one's: rank, rank + ranks, ...
  [[nodiscard]] std::int64_t turns(std::int64_t count) const {
    return std::max<std::int64_t>(0, (count - rank + ranks - 1) / ranks);
  }
  /// Its stretch of [0, count), [first, second): as long as the others', or one longer.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> stretch(std::int64_t count) const {
    return {count * rank / ranks, count * (rank + 1) / ranks};
  }
};

}  // namespace tpn
