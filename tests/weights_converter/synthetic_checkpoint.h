// Checkpoints as mmengine's runner saves them, with random weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/networks/network.h"
#include "kernels/tensor.h"

namespace tpn::test {

enum class TrainingState { absent, present };

/// What of a checkpoint differs from one training program to another.
struct CheckpointForm {
  std::string cfg{};  ///< meta['cfg']
  TrainingState training_state = TrainingState::absent;
  std::vector<std::string> keys{"state_dict"};  ///< from the root down to the weights
  std::string averaged_key{};                   ///< of weights of another seed beside them; empty: none
  std::function<std::string(const std::string&)> rename{};  ///< a parameter's name; empty: mmaction2's
  std::function<Shape(const ParameterSpec&)> reshape{};     ///< a parameter's shape; empty: the model's
  DType batches = DType::i64;                               ///< of num_batches_tracked: i64, i32, f64 or f32
  Shape batches_shape{};
  double batches_more = 0.5;            ///< added to num_batches_tracked of f64, as averages have it
  std::vector<std::string> left_out{};  ///< beginnings of names whose tensors are not there
};

/// The seeds of the weights, and of those under `averaged_key`.
constexpr std::uint64_t checkpoint_seed = 1;
constexpr std::uint64_t averaged_seed = 2;

/// Writes the tensors of a configuration, initialised as `varied`; and where asked for message_hub, an
/// optimizer (with the momentum of the first tensors) and param_schedulers.
void write_checkpoint(const Config& config, const std::filesystem::path& path,
                      const CheckpointForm& form = {});

/// Text such as mmengine stores of a SlowOnly configuration: temporal scales (t, t) and clips of `clip_len`
/// frames.
std::string slowonly_cfg(int clip_len, int frame_interval);

}  // namespace tpn::test
