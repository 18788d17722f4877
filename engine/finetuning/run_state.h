// How far a run is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/finetuning/recipe.h"

namespace tpn {

/// What validation found.
struct Accuracy {
  double loss = 0;  ///< mean cross-entropy
  double top1 = 0;  ///< shares of the clips
  double top5 = 0;
  double mean_class = 0;  ///< the mean of the recalls of all classes that are among labels or guesses

  bool operator==(const Accuracy&) const = default;
};

/// An epoch that is done.
struct EpochRecord {
  std::int64_t epoch = 0;    ///< from 1
  double loss = 0;           ///< mean over its steps, weighted by their clips
  double top1 = 0;           ///< of the clips as they were learned from
  double learning_rate = 0;  ///< of its last step
  bool validated = false;
  Accuracy validation = {};

  bool operator==(const EpochRecord&) const = default;
};

/// What a step's record in the log says.
struct StepRecord {
  std::int64_t step = 0;   ///< from 1
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t clips = 0;  ///< of the epoch that are done
  double loss = 0;
  double auxiliary_loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;
  double data_seconds = 0;  ///< that it waited for clips
  double seconds = 0;       ///< all of it

  bool operator==(const StepRecord&) const = default;
};

/// All that a run has to know, beside tensors, to go on as if it had never stopped.
struct RunState {
  Recipe recipe = {};            ///< resolved
  std::string data_digest = {};  ///< of the lists: another one is other data
  std::int64_t epochs = 0;       ///< that are done
  std::int64_t clips = 0;        ///< of the one under way that are done
  std::int64_t learned = 0;      ///< of these that could be loaded
  std::int64_t steps = 0;
  double loss_scale = 1;
  std::int64_t steps_at_scale = 0;  ///< without an overflow
  double loss_sum = 0;              ///< over the clips of the epoch under way
  std::int64_t correct = 0;         ///< of them
  std::int64_t best_epoch = 0;      ///< 0: none was validated
  int worse_validations = 0;        ///< since the best
  bool finished = false;
  std::vector<EpochRecord> history = {};

  bool operator==(const RunState&) const = default;
};

std::string to_json(const RunState& state);
/// Throws Error, naming `name`, when the text is not what to_json() writes.
RunState parse_run_state(std::string_view json, const std::string& name);

}  // namespace tpn
