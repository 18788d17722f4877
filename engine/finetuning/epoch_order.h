// In which order an epoch takes the clips.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/finetuning/recipe.h"

namespace tpn {

/// As many indices as there are labels, by the recipe's `shuffle`, `balanced` and `seed` and the epoch's
/// number alone. Balanced: classes take turns in random order, and the clips of each are gone through in
/// random order, again and again where there are few; else every clip comes once. Labels of classes lie in
/// [0, classes).
std::vector<std::size_t> epoch_order(const Recipe& recipe, std::span<const std::int64_t> labels,
                                     std::int64_t classes, std::int64_t epoch);

}  // namespace tpn
