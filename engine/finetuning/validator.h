// Classifies validation clips with the weights of an epoch.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/finetuning/candidate.h"
#include "engine/finetuning/clip_network.h"
#include "engine/finetuning/pooled_features.h"
#include "engine/finetuning/score.h"

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

/// Puts one clip of every sample through the whole network.
std::unique_ptr<Validator> make_clip_validator(std::vector<Sample> samples, const ClipWork& work);

/// Puts features that were computed once, variant 0, through the candidate's classifier.
std::unique_ptr<Validator> make_feature_validator(PooledFeatures features, const HeadConfig& head);

}  // namespace tpn
