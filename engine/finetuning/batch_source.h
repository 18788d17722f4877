// Where the batches of training come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "engine/data/training_loader.h"
#include "engine/train/trainer.h"

namespace tpn {

/// Gives the clips of an epoch in their order. What is drawn for a clip depends on the seed, the epoch and
/// its position alone.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Begins an epoch, from 0, with that share of the positions of its order.
  virtual void start(const std::vector<std::size_t>& order, std::int64_t epoch, const OrderShare& share) = 0;
  /// Fills the trainer's views with the next `count` clips, which the share still has, but for those that
  /// cannot be loaded: as many views as clips are returned.
  virtual std::vector<LoadedClip> next(Trainer& trainer, std::int64_t count) = 0;
  /// Spent waiting for clips, since construction.
  [[nodiscard]] virtual double waited_seconds() const = 0;
};

/// Told of a sample that cannot be loaded; what it throws ends the run.
using BadSample = std::function<void(const SampleError& error)>;

/// Clips as a loader gives them.
class ClipSource final : public BatchSource {
 public:
  /// loader: must outlive this.
  ClipSource(TrainingLoader& loader, BadSample bad_sample)
      : loader_(&loader), bad_sample_(std::move(bad_sample)) {}

  void start(const std::vector<std::size_t>& order, std::int64_t epoch, const OrderShare& share) override {
    loader_->start(order, epoch, share);
  }
  std::vector<LoadedClip> next(Trainer& trainer, std::int64_t count) override {
    for (; count > 0; --count) {
      try {
        return loader_->next(trainer.views(count));
      } catch (const SampleError& error) {
        bad_sample_(error);  // the next call gives the others
      }
    }
    return {};
  }
  [[nodiscard]] double waited_seconds() const override { return loader_->waited_seconds(); }

 private:
  TrainingLoader* loader_;
  BadSample bad_sample_;
};

}  // namespace tpn
