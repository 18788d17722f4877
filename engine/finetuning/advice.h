// Mistakes that are often made, told before they cost a night.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/finetuning/finetune_data.h"
#include "engine/finetuning/recipe.h"

namespace tpn {

/// Sentences about what in a resolved recipe is likely not meant. given: as it was before it was resolved;
/// parameters: of the model.
std::vector<std::string> advice(const Recipe& recipe, const Recipe& given, const FinetuneData& data,
                                std::int64_t parameters);

}  // namespace tpn
