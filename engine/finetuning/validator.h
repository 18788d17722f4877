// Judges the weights of an epoch by clips, by the numbers that tpn_eval gives.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/finetuning/candidate.h"
#include "engine/finetuning/judging.h"
#include "engine/finetuning/pooled_features.h"
#include "engine/finetuning/score.h"
#include "kernels/backend.h"

namespace tpn {

class Validator {
 public:
  virtual ~Validator() = default;
  /// Every clip that can be loaded once, in the order of the list; none when it was told to stop. Throws
  /// Error when there is no such clip.
  std::optional<std::vector<ScoredClip>> run(Candidate& candidate);

 private:
  virtual std::optional<std::vector<ScoredClip>> score(Candidate& candidate) = 0;
};

/// Puts the views of every sample through the whole network.
std::unique_ptr<Validator> make_video_validator(std::vector<Sample> samples, const JudgingWork& work);

/// Puts features that were computed once, a variant for each view, through the candidate's classifier.
/// average: of views, as HeadConfig::average_clips.
std::unique_ptr<Validator> make_feature_validator(PooledFeatures features, const Config& config,
                                                  const std::string& average,
                                                  const std::shared_ptr<const Backend>& backend);

}  // namespace tpn
