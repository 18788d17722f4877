// How the learning rate changes.
#pragma once

#include "engine/finetuning/recipe.h"

namespace tpn {

/// Of a step that begins when `epochs` epochs are done, a fraction within one. Milestones count by whole
/// epochs, as mmaction2's do; the cosine falls from step to step; the warm-up, from a tenth, is a factor upon
/// either.
double learning_rate(const Recipe& recipe, double epochs);

}  // namespace tpn
