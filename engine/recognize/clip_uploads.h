// The frames of a video's clips on the devices that make views of them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "engine/video/clip_loader.h"
#include "kernels/preprocess/view_maker.h"

namespace tpn {

/// Thread-safe, but for calls with the same maker. Objects must not outlive the makers they were used with.
class ClipUploads {
 public:
  explicit ClipUploads(std::shared_ptr<const LoadedClips> clips) : clips_(std::move(clips)) {}

  /// Copies those frames of a ready clip to the maker's device that are not there yet; false where it has no
  /// room for the video.
  bool upload(ViewMaker& maker, int clip);
  /// The same for the clips that these views show.
  bool upload_views(ViewMaker& maker, std::span<const int> views);
  /// Enqueues making views of uploaded clips: see fill_view() and ViewMaker::make(). The object must stay
  /// until that has been done.
  void make_views(ViewMaker& maker, std::span<const int> views, const SamplingConfig& sampling,
                  const TensorView& out, std::int64_t pixel_stride, Stream& stream);

 private:
  [[nodiscard]] DeviceFrames& frames_of(ViewMaker& maker);

  std::shared_ptr<const LoadedClips> clips_;
  std::mutex mutex_;
  std::map<ViewMaker*, std::unique_ptr<DeviceFrames>> frames_;
};

}  // namespace tpn
