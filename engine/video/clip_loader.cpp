#include "engine/video/clip_loader.h"

#include <algorithm>
#include <utility>

#include "engine/video/stopwatch.h"
#include "kernels/cpu/normalize_crop.h"
#include "kernels/cpu/resize_linear.h"
#include "kernels/error.h"

namespace tpn {
namespace {

/// Frames that the caller holds.
class FramesInMemory : public VideoSource {
 public:
  explicit FramesInMemory(std::span<const ImageView> frames) : frames_(frames) {
    if (frames.empty()) throw Error("There are no frames to take clips from.");
    info_.size = frames.front().size;
    info_.frames = static_cast<std::int64_t>(frames.size());
    info_.codec = "memory";
    const auto differs = [&](const ImageView& frame) { return frame.size != info_.size; };
    if (std::any_of(frames.begin(), frames.end(), differs))
      throw Error("The frames of a video differ in size.");
  }

  [[nodiscard]] const VideoInfo& info() const override { return info_; }

  DecodeReport read(std::span<const std::int64_t> indices, const Receiver& receive) override {
    for (std::size_t i = 0; i < indices.size(); ++i)
      receive(i, frames_[static_cast<std::size_t>(indices[i])]);
    DecodeReport report;
    report.frames = info_.frames;
    return report;
  }

 private:
  std::span<const ImageView> frames_;
  VideoInfo info_;
};

/// Clips by the position of their last frame among the selected ones: which become ready with which frame.
std::vector<std::vector<int>> clips_by_last_slot(const ViewPlan& plan) {
  std::vector<std::vector<int>> ready(plan.selected.size());
  const auto frames = static_cast<std::size_t>(plan.view_frames);
  for (int clip = 0; clip < plan.clips; ++clip) {
    const auto begin =
        plan.slots.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(clip) * frames);
    ready[*std::max_element(begin, begin + plan.view_frames)].push_back(clip);
  }
  return ready;
}

/// Reads, resizes and reports the frames that the plan selects.
DecodeReport read_frames(VideoSource& source, LoadedClips& clips, const ClipEvents& events) {
  cpu::LinearResizer resizer(clips.info.size, clips.plan.resized);
  const std::vector<std::vector<int>> ready = clips_by_last_slot(clips.plan);
  return source.read(clips.plan.selected, [&](std::size_t position, const ImageView& frame) {
    const Stopwatch resizing;
    resizer.run(frame, clips.frames[position].view());
    clips.resize_ms += resizing.ms();
    if (!events.clip_ready) return;
    for (const int clip : ready[position]) events.clip_ready(clip);
  });
}

/// `opening_ms` is what opening the source took.
std::shared_ptr<const LoadedClips> load(VideoSource& source, const std::string& name,
                                        const SamplingConfig& sampling,
                                        const std::optional<ViewCounts>& counts, const ClipEvents& events,
                                        double opening_ms) {
  // A pass that finds fewer frames than expected is repeated with what it found; damage that makes the count
  // change from pass to pass does not deserve more patience than this.
  constexpr int most_passes = 3;
  std::int64_t frames = source.info().frames;
  std::vector<std::string> corrections;
  double decode_ms = opening_ms;
  double convert_ms = 0;
  double resize_ms = 0;
  for (int pass = 0; pass < most_passes && frames > 0; ++pass) {
    const auto clips = std::make_shared<LoadedClips>();
    clips->info = source.info();
    clips->info.frames = frames;
    clips->plan = plan_views(frames, clips->info.size, sampling, counts);
    for (std::size_t i = 0; i < clips->plan.selected.size(); ++i)
      clips->frames.emplace_back(clips->plan.resized);
    if (events.planned) events.planned(clips);
    DecodeReport report = read_frames(source, *clips, events);
    decode_ms += report.decode_ms;
    convert_ms += report.convert_ms;
    resize_ms += clips->resize_ms;
    if (report.frames >= frames) {
      clips->warnings = std::move(report.warnings);
      clips->warnings.insert(clips->warnings.end(), corrections.begin(), corrections.end());
      clips->decode_ms = decode_ms;
      clips->convert_ms = convert_ms;
      clips->resize_ms = resize_ms;
      return clips;
    }
    corrections.push_back(name + ": " + std::to_string(frames) + " frames were expected but " +
                          std::to_string(report.frames) + " could be decoded; clips are taken from these.");
    frames = report.frames;
  }
  throw Error(name + ": its frames cannot be decoded reliably.");
}

}  // namespace

std::shared_ptr<const LoadedClips> load_clips(VideoSource& source, const std::string& name,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts,
                                              const ClipEvents& events) {
  return load(source, name, sampling, counts, events, 0);
}

std::shared_ptr<const LoadedClips> load_clips(const std::string& path, const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts,
                                              const DecodeOptions& options, const ClipEvents& events) {
  const Stopwatch opening;
  const std::unique_ptr<VideoSource> source = open_video(path, options);
  return load(*source, path, sampling, counts, events, opening.ms());
}

std::shared_ptr<const LoadedClips> load_clips(std::span<const ImageView> frames,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts,
                                              const ClipEvents& events) {
  FramesInMemory source(frames);
  return load(source, "frames in memory", sampling, counts, events, 0);
}

void fill_view(const LoadedClips& clips, int view, const SamplingConfig& sampling, const TensorView& out) {
  const ViewPlan& plan = clips.plan;
  if (view < 0 || view >= plan.views()) {
    throw Error("There is no view " + std::to_string(view) + " among " + std::to_string(plan.views()) + ".");
  }
  const auto first =
      static_cast<std::size_t>(plan.clip_of(view)) * static_cast<std::size_t>(plan.view_frames);
  std::vector<ImageView> frames;
  for (std::size_t j = 0; j < static_cast<std::size_t>(plan.view_frames); ++j) {
    frames.push_back(clips.frames[plan.slots[first + j]].view());
  }
  const CropOffset crop = plan.crop_of(view);
  if (out.shape.rank() == 4 && (out.shape[1] != plan.crop_size || out.shape[2] != plan.crop_size)) {
    throw Error("Views are squares of " + std::to_string(plan.crop_size) + " pixels; the tensor for one is " +
                to_string(out.shape) + ".");
  }
  cpu::normalize_crop({sampling.mean, sampling.std, crop.left, crop.top}, frames, out);
}

}  // namespace tpn
