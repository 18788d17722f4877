// The videos in a folder and in those below it.
#pragma once

#include <optional>
#include <string>

#include "apps/input_list.h"
#include "engine/video/frame_pattern.h"

namespace tpn::app {

/// Adds what a name stands for, as expand_inputs() says. `pattern` tells frames from other files; without
/// one, images are frames.
void expand_folder(const std::string& name, const std::optional<FramePattern>& pattern, Inputs& inputs);

}  // namespace tpn::app
