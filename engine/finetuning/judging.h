// How clips to judge by are looked at: under the same rules, and by the same code, as tpn_eval does.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "engine/data/sample_list.h"
#include "engine/finetuning/batch_source.h"
#include "engine/finetuning/recipe.h"
#include "engine/recognize/tpn.h"

namespace tpn {

struct JudgingRules {
  RecognizerOptions options{};
  int clips = 1, crops = 1;  ///< what that comes to for the model
  int short_side = 0, crop_size = 0;
  std::string average{};  ///< of views, as HeadConfig::average_clips
};

/// The rules of a recipe for a model. device: what the network runs on. Throws Error when the model cannot be
/// judged so.
JudgingRules judging_rules(const Recipe& recipe, const Model& model, const RecognizerOptions& device);

/// What happens meanwhile.
struct JudgingWork {
  JudgingRules rules;
  BadSample bad_sample;
  std::function<void(const std::string& sentence)> warn;         ///< told of damage that is passed over
  std::function<bool()> stop;                                    ///< whether to give up: asked often
  std::function<void(std::size_t done, std::size_t of)> report;  ///< told of videos that are done
};

/// Puts the samples with these indices through a recogniser, in that order, and gives what it says of those
/// that can be read to `taken`. Returns whether all are done, and not told to stop.
bool recognize_samples(Recognizer& recognizer, const std::vector<Sample>& samples,
                       const std::vector<std::size_t>& indices, const JudgingWork& work,
                       const std::function<void(std::size_t sample, Recognition&& recognition)>& taken);

}  // namespace tpn
