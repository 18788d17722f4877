// Checkpoints as mmengine's runner saves them, with random weights.
#pragma once

#include <filesystem>
#include <string>

#include "engine/model/config.h"

namespace tpn::test {

enum class TrainingState { absent, present };

/// Writes the tensors of a configuration, initialised as `varied`, with `cfg` as meta['cfg']; and where asked
/// for message_hub, an optimizer (with the momentum of the first tensors) and param_schedulers.
void write_checkpoint(const Config& config, const std::filesystem::path& path, const std::string& cfg = {},
                      TrainingState training_state = TrainingState::absent);

/// Text such as mmengine stores of a SlowOnly configuration: temporal scales (t, t) and clips of `clip_len`
/// frames.
std::string slowonly_cfg(int clip_len, int frame_interval);

}  // namespace tpn::test
