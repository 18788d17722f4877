// Runs a model over the entries of a list.
#pragma once

#include <functional>
#include <span>

#include "engine/evaluation/evaluation_list.h"
#include "engine/recognize/tpn.h"

namespace tpn {

/// Told what becomes of the entries, in their order, on the calling thread.
struct EvaluationEvents {
  std::function<void(EvaluatedVideo&& video)> video;
  /// How far the entry at hand is; may be empty.
  std::function<void(std::size_t entry, const Progress& progress)> progress = {};
};

/// Classifies the entries with these indices, ascending; what cannot be classified gets its error, a sentence
/// that begins with the entry's origin. Holds the scores of one video at a time.
void evaluate(Recognizer& recognizer, const EvaluationList& list, std::span<const std::size_t> entries,
              const EvaluationEvents& events);

}  // namespace tpn
