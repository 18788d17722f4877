// Mistakes that are often made, told before they cost a night.
#pragma once

#include <string>
#include <vector>

#include "engine/finetuning/finetune_data.h"
#include "engine/finetuning/recipe.h"

namespace tpn {

/// Sentences about what in a resolved recipe is likely not meant. given: as it was before it was resolved.
std::vector<std::string> advice(const Recipe& recipe, const Recipe& given, const FinetuneData& data);

}  // namespace tpn
