// From a video to the views that the network reads: decodes once, sequentially, keeps the frames that some
// clip needs, resized or for devices as they are, and cuts and normalises views out of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/video/video_source.h"
#include "engine/video/view_plan.h"
#include "kernels/preprocess/frame_store.h"
#include "kernels/preprocess/image.h"
#include "kernels/tensor.h"

namespace tpn {

/// A video's selected frames and what to make of them.
struct LoadedClips {
  ViewPlan plan;
  VideoInfo info;     ///< `frames` is the corrected count
  FrameStore frames;  ///< one for each entry of plan.selected: RGB of size plan.resized, or as decoded

  std::vector<std::string> warnings;  ///< whole sentences that name the file
  double decode_ms = 0;               ///< wall clock; with opening by name, the counting of frames included
  double convert_ms = 0;              ///< to RGB
  double resize_ms = 0;               ///< or copying, where frames are kept as decoded
};

/// How the selected frames are kept.
struct FrameKeeping {
  /// As they come from the decoder, for a device that resizes them, unless a video's would take more memory
  /// than `most_bytes`. Resized otherwise. Views are the same either way.
  bool as_decoded = false;
  std::size_t most_bytes = std::size_t{256} << 20;
  AllocateFrames allocate = {};
};

/// Tells what is ready while the rest is still being decoded. Called on the thread that loads.
struct ClipEvents {
  /// Comes first, and once more if there turn out to be more or fewer frames than the file's data let expect:
  /// clips that were reported before are then void, and `clips` is another object.
  std::function<void(const std::shared_ptr<const LoadedClips>& clips)> planned;
  /// All frames of a clip are there, so that its views can be filled. Every clip is reported once, in the
  /// order in which they become ready. Until loading returns, only `plan`, `info` and the frames of ready
  /// clips may be read.
  std::function<void(int clip)> clip_ready;
  /// Ends loading with the frame at hand, when it is asked to; then what was loaded means nothing.
  std::stop_token stop = {};
};

/// Loads the clips of the model's test protocol, or of `counts` instead. Throws Error as open_video() and
/// plan_views(), and when the frames cannot be decoded; always names the file.
std::shared_ptr<const LoadedClips> load_clips(const std::string& path, const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts = {},
                                              const DecodeOptions& options = {},
                                              const ClipEvents& events = {},
                                              const FrameKeeping& keeping = {});

/// The same for an opened source; `name` stands for it in messages.
std::shared_ptr<const LoadedClips> load_clips(VideoSource& source, const std::string& name,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts = {},
                                              const ClipEvents& events = {},
                                              const FrameKeeping& keeping = {});

/// The same for frames in memory, all of one size and format, which are read during the call only.
std::shared_ptr<const LoadedClips> load_clips(std::span<const FrameView> frames,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts = {},
                                              const ClipEvents& events = {},
                                              const FrameKeeping& keeping = {});
std::shared_ptr<const LoadedClips> load_clips(std::span<const ImageView> frames,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts = {},
                                              const ClipEvents& events = {},
                                              const FrameKeeping& keeping = {});

/// Writes a view, resized where its frames are as decoded, cropped, and normalised with the configuration's
/// mean and std, to `out`: (T, crop, crop, C) in f32 or bf16; channels beyond the third become zero.
/// Different views may be filled by different threads at once. Throws Error when the shape does not fit.
void fill_view(const LoadedClips& clips, int view, const SamplingConfig& sampling, const TensorView& out);

}  // namespace tpn
