#include "engine/finetuning/epoch_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/data/draws.h"

namespace tpn {
namespace {

/// What an order is drawn for, in place of a clip's position, so that clips draw other numbers.
constexpr std::uint64_t order_position = ~std::uint64_t{0};

void shuffle(std::span<std::size_t> values, Draws& draws) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1],
              values[static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(left)))]);
  }
}

/// Gives the clips of a class again and again, each time in another order.
class Turns {
 public:
  explicit Turns(std::vector<std::size_t> clips) : clips_(std::move(clips)) {}

  std::size_t next(bool shuffled, Draws& draws) {
    if (at_ == 0 && shuffled) shuffle(clips_, draws);
    const std::size_t clip = clips_[at_];
    at_ = (at_ + 1) % clips_.size();
    return clip;
  }

 private:
  std::vector<std::size_t> clips_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::size_t> epoch_order(const Recipe& recipe, std::span<const std::int64_t> labels,
                                     std::int64_t classes, std::int64_t epoch) {
  Draws draws(static_cast<std::uint64_t>(recipe.seed), epoch, order_position);
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!recipe.balanced) {
    if (recipe.shuffle) shuffle(order, draws);
    return order;
  }
  std::vector<std::vector<std::size_t>> clips(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) clips[static_cast<std::size_t>(labels[i])].push_back(i);
  std::vector<Turns> turns;
  for (auto& of_class : clips) {
    if (!of_class.empty()) turns.emplace_back(std::move(of_class));
  }
  std::vector<std::size_t> present(turns.size());
  std::iota(present.begin(), present.end(), std::size_t{0});
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i % present.size() == 0 && recipe.shuffle) shuffle(present, draws);
    order[i] = turns[present[i % present.size()]].next(recipe.shuffle, draws);
  }
  return order;
}

}  // namespace tpn
