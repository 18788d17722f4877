#include "engine/plan/arena.h"

#include <algorithm>
#include <numeric>

namespace tpn {
namespace {

bool meet(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

ArenaLayout plan_arena(std::span<const Lifetime> tensors, std::size_t alignment) {
  const auto align = [&](std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; };
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return tensors[a].bytes > tensors[b].bytes; });
  ArenaLayout layout{std::vector<std::size_t>(tensors.size()), 0};
  std::vector<std::size_t> placed;  // by ascending offset
  for (const std::size_t tensor : order) {
    const std::size_t bytes = align(tensors[tensor].bytes);
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      if (!meet(tensors[tensor], tensors[other])) continue;
      if (offset + bytes <= layout.offsets[other]) break;
      offset = std::max(offset, layout.offsets[other] + align(tensors[other].bytes));
    }
    layout.offsets[tensor] = offset;
    layout.bytes = std::max(layout.bytes, offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                   [&](std::size_t at, std::size_t i) { return at < layout.offsets[i]; }),
                  tensor);
  }
  return layout;
}

}  // namespace tpn
