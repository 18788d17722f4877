// How a training clip is taken from a video: which frames, which part of them, mirrored or not, and in which
// colours (mmaction2: SampleFrames, RandomResizedCrop, Flip, ColorJitter).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "engine/data/draws.h"
#include "engine/model/config.h"
#include "engine/video/frame_reader.h"
#include "engine/video/geometry.h"
#include "kernels/ops/color_jitter.h"
#include "kernels/preprocess/image.h"
#include "kernels/tensor.h"

namespace tpn {

enum class Augmentation {
  reference,  ///< random frames, crops of 0.08 to 1 of the area, flip, jitter of colours
  light,      ///< random frames, crops of 0.5 to 1 of the area, flip
  none        ///< the middle clip of the test protocol, resized by the short side, the middle crop
};

struct ClipOptions {
  /// Length and interval of clips, segments of TSM, mean and std. A sample is one clip and one crop.
  SamplingConfig sampling = {};
  Augmentation augmentation = Augmentation::reference;
  std::optional<double> least_area = {};  ///< of random crops; none: the augmentation's
  int crop_size = 224;                    ///< side of the clips' frames
  int short_side = 256;                   ///< what frames are resized to without augmentation
  bool flip = true;                       ///< mirror half of the clips, where there is augmentation
  /// What a label becomes when its clip is mirrored; labels that are not in it stay.
  std::map<std::int64_t, std::int64_t> flip_labels = {};
  std::uint64_t seed = 0;
  DType dtype = DType::f32;  ///< of views: f32, f16 or bf16
  std::size_t ahead = 32;    ///< clips that may be ready before they are asked for; a batch always may
  RawFrameNames raw_frames = {};
  DecodeOptions decode = {};

  /// The least share of a frame's area that its random crops have; 1 where there are none.
  [[nodiscard]] double least_crop_area() const;
  /// T: frames of a clip.
  [[nodiscard]] int frames() const { return sampling.clip_len == 1 ? sampling.num_clips : sampling.clip_len; }
};

/// A part of a frame, pixels.
struct CropBox {
  int left = 0;
  int top = 0;
  ImageSize size;

  bool operator==(const CropBox&) const = default;
};

/// What is done with a video, in the order of the members.
struct ClipPlan {
  std::vector<std::int64_t> frames;   ///< the distinct ones, ascending
  std::vector<std::size_t> slots;     ///< (T), where in `frames` the clip's stand
  CropBox box;                        ///< cut out
  ImageSize resized;                  ///< what that is resized to
  std::optional<ColorJitter> jitter;  ///< of colours
  CropOffset crop;                    ///< of the square that is the clip
  bool flip = false;                  ///< mirrored
};

/// Throws Error when the video has no frames, or they cannot be resized and cropped so.
ClipPlan plan_clip(const VideoInfo& video, const ClipOptions& options, Draws draws);

/// Frame numbers of a training clip, (T): one clip, or one frame from each segment of TSM. Past the end they
/// go on from the start.
std::vector<std::int64_t> sample_train_frames(std::int64_t total_frames, const SamplingConfig& sampling,
                                              Draws& draws);

/// Where a frame might be cropped.
struct CropCandidate {
  double area;    ///< share of the frame's
  double aspect;  ///< width / height
};

/// The first candidate that fits, placed by `pick`, which chooses a number in [0, last]; else the middle
/// square of the short side.
CropBox first_fitting_crop(ImageSize frame, std::span<const CropCandidate> candidates,
                           const std::function<std::int64_t(std::int64_t last)>& pick);

/// Of 10 random candidates, of shares of the area in [least_area, 1) and aspects whose logarithms are uniform
/// between those of 3/4 and 4/3.
CropBox random_resized_crop(ImageSize frame, double least_area, Draws& draws);

/// In which order colours are changed: drawn once for a run.
std::array<JitterStep, 4> jitter_order(std::uint64_t seed);

}  // namespace tpn
