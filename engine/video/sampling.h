// Which frames of a video a clip consists of: the sampling rules that the released models were trained and
// evaluated with (mmaction2, datasets/transforms/loading.py SampleFrames), in the same double arithmetic.
#pragma once

#include <cstdint>
#include <vector>

namespace tpn {

/// What becomes of a frame number past the end of the video.
enum class OutOfBound {
  loop,        ///< counts on from the start
  repeat_last  ///< the clip's last frame before the end, or frame 0 when the clip has none
};

struct ClipSampling {
  int clip_len = 8;  ///< frames of a clip; 1: num_clips segments that give one frame each (TSM)
  int frame_interval = 8;
  int num_clips = 10;
  /// clip_len 1: a second sample, at the segments' starts, follows the one at their centres. Otherwise
  /// doubles the clips but not their spacing, so that half of them start past the end.
  bool twice_sample = false;
  OutOfBound out_of_bound = OutOfBound::loop;
  int start_index = 0;  ///< number of the first frame: 0 for videos, 1 for folders of frames
};

/// The frame numbers of all clips under the test protocol, (num_clips * (twice_sample ? 2 : 1), clip_len),
/// clip-major. Throws Error when total_frames or a count is not positive, or twice_sample goes with a single
/// clip of several frames.
std::vector<std::int64_t> sample_test_frames(std::int64_t total_frames, const ClipSampling& sampling);

/// How training draws the first frames of its clips.
struct TrainClipRanges {
  enum class Kind {
    spaced,  ///< one uniform integer from each range, independently
    sorted,  ///< num_clips uniform integers from the one range that all entries repeat, then sorted
    fixed    ///< every range is a single frame
  };
  struct Range {
    std::int64_t first;
    std::int64_t last;  ///< inclusive
    bool operator==(const Range&) const = default;
  };
  Kind kind;
  std::vector<Range> clips;
};

/// Ignores twice_sample, out_of_bound and start_index. Throws like sample_test_frames.
TrainClipRanges train_clip_ranges(std::int64_t total_frames, const ClipSampling& sampling);

}  // namespace tpn
