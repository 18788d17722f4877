// Makes training clips: reads frames or takes them from the cache, cuts, resizes, changes colours,
// normalises.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/data/clip_plan.h"
#include "engine/data/frame_cache.h"
#include "engine/data/sample_list.h"
#include "kernels/tensor.h"

namespace tpn {

/// Any number of threads at once.
class ClipMaker {
 public:
  /// `options` and `cache` must outlive it.
  ClipMaker(const ClipOptions& options, FrameCache& cache) : options_(options), cache_(cache) {}

  /// Writes the clip of that sample, which has this index in the cache, to `view`: (T, crop_size, crop_size,
  /// C). Returns the label. Throws Error when frames cannot be had; it names the file.
  std::int64_t make(const Sample& sample, std::size_t index, const Draws& draws,
                    const TensorView& view) const;

 private:
  std::shared_ptr<const FrameReader> open(const Sample& sample, std::size_t index) const;

  const ClipOptions& options_;
  FrameCache& cache_;
};

}  // namespace tpn
