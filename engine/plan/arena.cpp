#include "engine/plan/arena.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

namespace tpn {
namespace {

bool meet(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

bool lives_at(const Lifetime& tensor, int step) {
  return tensor.first <= step && step <= tensor.last;
}

/// The first step at which most bytes are alive.
int fullest_step(std::span<const Lifetime> tensors) {
  std::map<int, std::ptrdiff_t> changes;  // of the bytes that are alive, by step
  for (const Lifetime& tensor : tensors) {
    changes[tensor.first] += static_cast<std::ptrdiff_t>(tensor.bytes);
    changes[tensor.last + 1] -= static_cast<std::ptrdiff_t>(tensor.bytes);
  }
  std::ptrdiff_t alive = 0, most = 0;
  int fullest = 0;
  for (const auto& [step, change] : changes) {
    alive += change;
    if (alive > most) {
      most = alive;
      fullest = step;
    }
  }
  return fullest;
}

/// Places the tensors one after the other, each at the lowest offset that fits.
ArenaLayout place(std::span<const Lifetime> tensors, std::span<const std::size_t> order,
                  std::size_t alignment) {
  const auto align = [&](std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; };
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

}  // namespace

ArenaLayout plan_arena(std::span<const Lifetime> tensors, std::size_t alignment) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return tensors[i].bytes; });
  ArenaLayout by_size = place(tensors, order, alignment);

  // A step of training is fullest where most gradients, which all live until the update, meet the activations
  // of the first layers. The tensors there, piled up without gaps by age, are all that the arena has to hold
  // if the others fit around them.
  const int step = fullest_step(tensors);
  const auto others = std::stable_partition(order.begin(), order.end(),
                                            [&](std::size_t i) { return lives_at(tensors[i], step); });
  std::ranges::stable_sort(order.begin(), others, {}, [&](std::size_t i) { return tensors[i].first; });
  ArenaLayout by_age = place(tensors, order, alignment);
  return by_age.bytes < by_size.bytes ? by_age : by_size;
}

}  // namespace tpn
