// Classifies validation clips with the weights of an epoch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/data/training_loader.h"
#include "engine/finetuning/candidate.h"
#include "engine/finetuning/pooled_features.h"
#include "engine/finetuning/score.h"

namespace tpn {

/// What a validation is told of, and asks.
struct ValidationProgress {
  std::function<void(std::size_t done, std::size_t of)> report = {};  ///< clips
  std::function<bool()> stop = {};                                    ///< whether to give up
};

class Validator {
 public:
  virtual ~Validator() = default;
  /// Every clip that can be loaded once, in the order of the list; none when it was told to stop.
  virtual std::vector<ScoredClip> run(Candidate& candidate, const ValidationProgress& progress) = 0;
};

/// Puts one clip of every sample through the whole network.
std::unique_ptr<Validator> make_clip_validator(std::vector<Sample> samples, const FeatureWork& work);

/// Puts features that were computed once, variant 0, through the candidate's classifier.
std::unique_ptr<Validator> make_feature_validator(PooledFeatures features, const HeadConfig& head);

}  // namespace tpn
