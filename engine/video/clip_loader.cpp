#include "engine/video/clip_loader.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "kernels/error.h"
#include "kernels/preprocess/normalize_crop.h"
#include "kernels/preprocess/resize_linear.h"
#include "kernels/stopwatch.h"

namespace tpn {
namespace {

/// Where frames come from.
struct FrameSource {
  VideoInfo info;
  FrameFormat format = FrameFormat::rgb;
  /// As VideoSource::read().
  using Receiver = std::function<void(std::size_t position, const FrameView& frame)>;
  std::function<DecodeReport(std::span<const std::int64_t> indices, const Receiver& receive,
                             const std::stop_token& stop)>
      read;
};

FrameSource source_of(VideoSource& video) {
  FrameSource source;
  source.info = video.info();
  source.read = [&video](std::span<const std::int64_t> indices, const FrameSource::Receiver& receive,
                         const std::stop_token& stop) {
    return video.read(
        indices, [&](std::size_t position, const ImageView& frame) { receive(position, frame_of(frame)); },
        stop);
  };
  return source;
}

/// Of frames that the caller holds.
FrameSource source_of(std::span<const FrameView> frames) {
  if (frames.empty()) throw Error("There are no frames to take clips from.");
  FrameSource source;
  source.info.size = frames.front().size;
  source.info.frames = static_cast<std::int64_t>(frames.size());
  source.info.codec = "memory";
  source.format = frames.front().format;
  for (const FrameView& frame : frames) {
    if (frame.size != source.info.size) throw Error("The frames of a video differ in size.");
    if (frame.format != source.format) throw Error("The frames of a video differ in format.");
  }
  source.read = [frames](std::span<const std::int64_t> indices, const FrameSource::Receiver& receive,
                         const std::stop_token& stop) {
    for (std::size_t i = 0; i < indices.size() && !stop.stop_requested(); ++i) {
      receive(i, frames[static_cast<std::size_t>(indices[i])]);
    }
    DecodeReport report;
    report.frames = static_cast<std::int64_t>(frames.size());
    return report;
  };
  return source;
}

/// Clips by the position of their last frame among the selected ones: which become ready with which frame.
std::vector<std::vector<int>> clips_by_last_slot(const ViewPlan& plan) {
  std::vector<std::vector<int>> ready(plan.selected.size());
  for (int clip = 0; clip < plan.clips; ++clip) ready[std::ranges::max(plan.slots_of(clip))].push_back(clip);
  return ready;
}

/// Frames in RGB and of the size of a plan.
class FrameResizer {
 public:
  FrameResizer(ImageSize source, ImageSize size) : resizer_(source, size) {}

  void run(const FrameView& frame, const MutableImageView& out) {
    if (frame.format == FrameFormat::rgb) return resizer_.run(image_of(frame), out);
    if (rgb_.size() != frame.size) rgb_ = Image(frame.size);
    convert_to_rgb(frame, rgb_.view());
    resizer_.run(std::as_const(rgb_).view(), out);
  }

 private:
  cpu::LinearResizer resizer_;
  Image rgb_;
};

FrameStore make_store(const FrameSource& source, const ViewPlan& plan, const FrameKeeping& keeping) {
  const FrameLayout decoded{source.format, source.info.size};
  const bool keeps = keeping.as_decoded && decoded.bytes() <= keeping.most_bytes / plan.selected.size();
  const FrameLayout resized{FrameFormat::rgb, plan.resized};
  return {keeps ? decoded : resized, plan.selected.size(), keeping.allocate};
}

/// Reads, keeps and reports the frames that the plan selects.
DecodeReport read_frames(const FrameSource& source, LoadedClips& clips, const ClipEvents& events) {
  const bool as_decoded = clips.frames.layout() == FrameLayout{source.format, source.info.size};
  FrameResizer resizer(source.info.size, clips.plan.resized);
  const std::vector<std::vector<int>> ready = clips_by_last_slot(clips.plan);
  const auto keep = [&](std::size_t position, const FrameView& frame) {
    const Stopwatch resizing;
    if (as_decoded) {
      clips.frames.set(position, frame);
    } else {
      resizer.run(frame, clips.frames.image(position));
    }
    clips.resize_ms += resizing.ms();
    if (!events.clip_ready) return;
    for (const int clip : ready[position]) events.clip_ready(clip);
  };
  return source.read(clips.plan.selected, keep, events.stop);
}

/// As plan_views(); an Error names the video.
ViewPlan plan_of(std::int64_t frames, const std::string& name, ImageSize size, const SamplingConfig& sampling,
                 const std::optional<ViewCounts>& counts) {
  try {
    return plan_views(frames, size, sampling, counts);
  } catch (const Error& error) {
    throw Error(name + ": " + error.what());
  }
}

/// `opening_ms` is what opening the source took.
std::shared_ptr<const LoadedClips> load(const FrameSource& source, const std::string& name,
                                        const SamplingConfig& sampling,
                                        const std::optional<ViewCounts>& counts, const ClipEvents& events,
                                        const FrameKeeping& keeping, double opening_ms) {
  // A pass that finds another number of frames than expected is repeated with what it found; damage that
  // makes the count change from pass to pass does not deserve more patience than this.
  constexpr int most_passes = 3;
  std::int64_t frames = source.info.frames;
  double decode_ms = opening_ms;
  double convert_ms = 0;
  double resize_ms = 0;
  for (int pass = 0; pass < most_passes && frames > 0; ++pass) {
    const auto clips = std::make_shared<LoadedClips>();
    clips->info = source.info;
    clips->info.frames = frames;
    clips->plan = plan_of(frames, name, source.info.size, sampling, counts);
    clips->frames = make_store(source, clips->plan, keeping);
    if (events.planned) events.planned(clips);
    DecodeReport report = read_frames(source, *clips, events);
    decode_ms += report.decode_ms;
    convert_ms += report.convert_ms;
    resize_ms += clips->resize_ms;
    if (report.frames == frames || events.stop.stop_requested()) {
      clips->warnings = std::move(report.warnings);
      clips->decode_ms = decode_ms;
      clips->convert_ms = convert_ms;
      clips->resize_ms = resize_ms;
      return clips;
    }
    frames = report.frames;
  }
  throw Error(name + ": its frames cannot be decoded reliably.");
}

/// A frame in RGB and of the given size; `made` holds it where it is not there already.
ImageView resized_frame(const FrameView& frame, ImageSize size, std::deque<Image>& made) {
  if (frame.format == FrameFormat::rgb && frame.size == size) return image_of(frame);
  Image& image = made.emplace_back(size);
  FrameResizer(frame.size, size).run(frame, image.view());
  return std::as_const(image).view();
}

}  // namespace

std::shared_ptr<const LoadedClips> load_clips(VideoSource& source, const std::string& name,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts,
                                              const ClipEvents& events, const FrameKeeping& keeping) {
  return load(source_of(source), name, sampling, counts, events, keeping, 0);
}

std::shared_ptr<const LoadedClips> load_clips(const std::string& path, const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts,
                                              const DecodeOptions& options, const ClipEvents& events,
                                              const FrameKeeping& keeping) {
  const Stopwatch opening;
  const std::unique_ptr<VideoSource> source = open_video(path, options);
  return load(source_of(*source), path, sampling, counts, events, keeping, opening.ms());
}

std::shared_ptr<const LoadedClips> load_clips(std::span<const FrameView> frames,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts,
                                              const ClipEvents& events, const FrameKeeping& keeping) {
  return load(source_of(frames), "frames in memory", sampling, counts, events, keeping, 0);
}

std::shared_ptr<const LoadedClips> load_clips(std::span<const ImageView> frames,
                                              const SamplingConfig& sampling,
                                              const std::optional<ViewCounts>& counts,
                                              const ClipEvents& events, const FrameKeeping& keeping) {
  std::vector<FrameView> views(frames.size());
  std::transform(frames.begin(), frames.end(), views.begin(), frame_of);
  return load_clips(views, sampling, counts, events, keeping);
}

void fill_view(const LoadedClips& clips, int view, const SamplingConfig& sampling, const TensorView& out) {
  const ViewPlan& plan = clips.plan;
  if (view < 0 || view >= plan.views()) {
    throw Error("There is no view " + std::to_string(view) + " among " + std::to_string(plan.views()) + ".");
  }
  std::vector<ImageView> frames;
  std::deque<Image> made;
  for (const std::size_t slot : plan.slots_of(plan.clip_of(view))) {
    frames.push_back(resized_frame(clips.frames[slot], plan.resized, made));
  }
  const CropOffset crop = plan.crop_of(view);
  if (out.shape.rank() == 4 && (out.shape[1] != plan.crop_size || out.shape[2] != plan.crop_size)) {
    throw Error("Views are squares of " + std::to_string(plan.crop_size) + " pixels; the tensor for one is " +
                to_string(out.shape) + ".");
  }
  cpu::normalize_crop({sampling.mean, sampling.std, crop.left, crop.top}, frames, out);
}

}  // namespace tpn
