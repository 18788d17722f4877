// Clips for training, loaded ahead by threads of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/data/clip_plan.h"
#include "engine/data/sample_list.h"
#include "kernels/error.h"
#include "kernels/tensor.h"

namespace tpn {

/// What is in a row of a batch.
struct LoadedClip {
  std::size_t sample = 0;  ///< index in the list
  std::int64_t label = 0;  ///< after the flip
};

/// Which positions of an order are loaded: first, first + stride, ... Several processes share an order so,
/// and a run that was interrupted goes on where it ended.
struct OrderShare {
  std::size_t first = 0;
  std::size_t stride = 1;
};

/// A sample that cannot be loaded.
class SampleError : public Error {
 public:
  SampleError(const std::string& message, std::size_t sample) : Error(message), sample_(sample) {}
  [[nodiscard]] std::size_t sample() const { return sample_; }  ///< index in the list

 private:
  std::size_t sample_;
};

/// Frames are kept in memory as they were decoded, with what was learnt about their videos, until the limit
/// is reached; nothing is dropped for others, since an epoch comes round to all alike. One thread calls the
/// functions.
class TrainingLoader {
 public:
  /// threads: that decode and augment, 1 or more.
  TrainingLoader(std::vector<Sample> samples, ClipOptions options, int threads, std::int64_t cache_bytes);
  TrainingLoader(const TrainingLoader&) = delete;
  TrainingLoader& operator=(const TrainingLoader&) = delete;
  ~TrainingLoader();

  /// Begins with the samples of the given indices, repetitions allowed; what was under way is dropped. All
  /// that is drawn for a clip depends on the seed, the epoch and its position in the order alone. Throws
  /// Error when there is no such sample or the share has no stride.
  void start(std::vector<std::size_t> order, std::int64_t epoch, OrderShare share = {});

  /// Writes the next clips, normalised, to `views` (N, T, crop_size, crop_size, 3), fewer than N at the end
  /// of the order. Throws SampleError, whose message begins with the sample's origin, when one of them cannot
  /// be loaded; the next call leaves that one out and gives the others. Throws Error when the shape does not
  /// fit.
  std::vector<LoadedClip> next(const TensorView& views);

  /// Time spent in next() waiting for clips, since construction.
  [[nodiscard]] double waited_seconds() const;
  /// What is kept in memory.
  [[nodiscard]] std::int64_t cached_bytes() const;

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace tpn
