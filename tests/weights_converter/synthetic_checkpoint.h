// Checkpoints as mmengine's runner saves them, with random weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/model/config.h"

namespace tpn::test {

struct SyntheticCheckpoint {
  Config config;           ///< whose tensors it has
  std::uint64_t seed = 1;  ///< of the `varied` initialisation
  std::string cfg;         ///< meta['cfg']
  bool training_state =
      false;  ///< message_hub, optimizer (momentum of the first tensors) and param_schedulers too
};

void write_checkpoint(const SyntheticCheckpoint& checkpoint, const std::filesystem::path& path);

/// Text such as mmengine stores of a SlowOnly configuration: temporal scales (t, t) and clips of `clip_len`
/// frames.
std::string slowonly_cfg(int clip_len, int frame_interval);

}  // namespace tpn::test
