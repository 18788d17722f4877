// What logits are worth: losses, guesses, accuracies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/finetuning/run_state.h"

namespace tpn {

/// A class and its probability.
struct Guess {
  std::int64_t label = 0;
  double score = 0;
};

/// One clip that was classified.
struct ScoredClip {
  std::size_t sample = 0;           ///< index in its list
  std::int64_t label = 0;           ///< what it is
  double loss = 0;                  ///< cross-entropy
  std::int64_t rank = 0;            ///< of its class: 0 where that is the first guess
  std::vector<Guess> guesses = {};  ///< the best five, best first; of equal ones the lower index first
};

/// Of the views of a clip, one or more, which `average` makes one of, as HeadConfig::average_clips says. The
/// loss of averaged probabilities is minus the logarithm of the label's. logits: (views,K), finite; K:
/// classes.
ScoredClip score_views(std::size_t sample, std::int64_t label, std::span<const float> logits, int classes,
                       const std::string& average);

struct Validation {
  Accuracy accuracy = {};
  std::vector<std::int64_t> confusion = {};  ///< (K,K): rows are classes, columns first guesses
  std::vector<ScoredClip> clips = {};
};

/// classes: K. There is at least one clip.
Validation summarize(std::vector<ScoredClip> clips, std::int64_t classes);

}  // namespace tpn
