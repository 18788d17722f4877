// Places tensors with known lifetimes in one block of memory.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tpn {

/// A tensor that lives from step `first` to step `last`, both inclusive.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct ArenaLayout {
  std::vector<std::size_t> offsets;  ///< of each tensor, multiples of the alignment
  std::size_t bytes = 0;             ///< likewise
};

/// Gives tensors whose lifetimes meet disjoint ranges, each at a multiple of `alignment` bytes. Greedy: one
/// after the other at the lowest offset that fits. Of several orders, the one that takes the least memory.
ArenaLayout plan_arena(std::span<const Lifetime> tensors, std::size_t alignment);

}  // namespace tpn
