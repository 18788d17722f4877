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

/// By class, what the loss of its clips counts: the mean over all clips is 1. A class without clips counts 0.
std::vector<float> balanced_class_weights(std::span<const std::int64_t> labels, std::int64_t classes);

}  // namespace tpn
