#include "engine/finetuning/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tpn {

double learning_rate(const Recipe& recipe, double epochs) {
  constexpr double warmup_start = 0.1;
  double factor = 1;
  if (recipe.schedule == Schedule::multistep) {
    const auto reached =
        std::ranges::count_if(recipe.milestones, [&](int at) { return std::floor(epochs) >= at; });
    factor = std::pow(recipe.gamma, static_cast<double>(reached));
  } else {
    factor = 0.5 * (1 + std::cos(std::numbers::pi * std::min(epochs / recipe.epochs, 1.0)));
  }
  if (epochs < recipe.warmup) factor *= warmup_start + (1 - warmup_start) * epochs / recipe.warmup;
  return recipe.lr * factor;
}

}  // namespace tpn
