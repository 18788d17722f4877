// The model of a program that classifies.
#pragma once

#include <string>
#include <utility>

#include "engine/recognize/tpn.h"

namespace tpn::app {

/// What --model names, and its digest. What is loaded stays mapped, so that no temporary file is needed
/// afterwards. Throws as ModelArgument and Model::load() do.
std::pair<Model, std::string> load_model(const std::string& given);

}  // namespace tpn::app
