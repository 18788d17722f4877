// What a frozen network makes of clips, kept from epoch to epoch and from run to run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/finetuning/batch_source.h"
#include "engine/finetuning/clip_network.h"
#include "engine/finetuning/feature_files.h"
#include "engine/parallel/rank_share.h"

namespace tpn {

/// Features of clips, (C) in f32 each: what a classifier reads. Every sample has as many variants as were
/// asked for: clips of it that were drawn differently.
class PooledFeatures {
 public:
  struct Row {
    std::int64_t label = 0;          ///< of the clip, which may be a mirrored one
    std::vector<float> values = {};  ///< empty: the clip could not be loaded
  };

  PooledFeatures(std::size_t samples, std::size_t variants)
      : rows_(samples * variants), variants_(variants) {}

  [[nodiscard]] std::size_t samples() const { return rows_.size() / variants_; }
  [[nodiscard]] std::size_t variants() const { return variants_; }
  [[nodiscard]] Row& row(std::size_t sample, std::size_t variant) {
    return rows_[sample * variants_ + variant];
  }
  [[nodiscard]] const Row& row(std::size_t sample, std::size_t variant) const {
    return rows_[sample * variants_ + variant];
  }
  /// Whether there are all variants of it.
  [[nodiscard]] bool has(std::size_t sample) const;

 private:
  std::vector<Row> rows_;
  std::size_t variants_;
};

/// Computes what is not in the cache, which is that of `weights`; none: nothing is kept. share: which stretch
/// of the samples is computed; the others' features may be missing in the result. A sample's features are
/// known by the network, the file's place, size and time, and all that decides how clips are made of it.
/// Returns none when it was told to stop. Throws Error as the loader and the plan do.
std::optional<PooledFeatures> pooled_features(const Weights& weights, const std::vector<Sample>& samples,
                                              std::size_t variants, const ClipWork& work,
                                              const std::optional<FeatureCache>& cache,
                                              const RankOf& share = {});

/// Batches of features: epoch e takes variant e of each sample, counted round.
class FeatureSource final : public BatchSource {
 public:
  explicit FeatureSource(PooledFeatures features) : features_(std::move(features)) {}

  void start(const std::vector<std::size_t>& order, std::int64_t epoch, const OrderShare& share) override;
  std::vector<LoadedClip> next(Trainer& trainer, std::int64_t count) override;
  [[nodiscard]] double waited_seconds() const override { return 0; }

 private:
  PooledFeatures features_;
  std::vector<std::size_t> order_;
  OrderShare share_;  ///< of what is left
  std::size_t variant_ = 0;
};

}  // namespace tpn
