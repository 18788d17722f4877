// What a frozen network makes of the views of clips to judge by.
#pragma once

#include <filesystem>
#include <optional>

#include "engine/finetuning/judging.h"
#include "engine/finetuning/pooled_features.h"
#include "engine/model/weights.h"
#include "engine/parallel/rank_share.h"

namespace tpn {

/// Features of all views of the samples, a variant for each view, in the order of a recognition's rows. Those
/// that are not in the cache are computed, with `model`, the file of `weights`. cache, share and result: as
/// of pooled_features().
std::optional<PooledFeatures> view_features(const std::filesystem::path& model, const Weights& weights,
                                            const std::vector<Sample>& samples, const JudgingWork& work,
                                            const std::string& memory,
                                            const std::optional<FeatureCache>& cache,
                                            const RankOf& share = {});

}  // namespace tpn
