// Decoding and view preparation on threads of their own, so that they overlap with the network.
//
//   loading thread   sources one after the other -> clips
//   viewing thread   clips that are ready -> batches of normalised views, or of frames on a device
//   next()           the batches and the ends of videos, for the calling thread
//
// While the views of a video are being prepared, the next video is decoded, and no more than that: the frames
// of two videos and two batches of views are in memory at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <variant>
#include <vector>

#include "engine/devices/bounded_queue.h"
#include "engine/recognize/clip_uploads.h"
#include "engine/recognize/view_buffers.h"
#include "engine/video/clip_loader.h"
#include "kernels/error.h"
#include "kernels/stopwatch.h"
#include "kernels/tensor.h"

namespace tpn {

/// Loads one video, reporting to the events: load_clips() with its other arguments bound.
using ClipSource = std::function<std::shared_ptr<const LoadedClips>(const ClipEvents& events)>;

/// Some views of a video, one or more. Preparation goes on only when there is memory: batches had better be
/// let go of once their views have been read.
struct ViewBatch {
  std::size_t video = 0;  ///< number of the source
  /// What the views were taken from. Another object than in the batch before, with the same video: its frame
  /// count was corrected, and the views before are void.
  std::shared_ptr<const LoadedClips> clips;
  std::vector<int> views;                ///< their numbers
  ViewBuffers::Loan data;                ///< (views, T, crop, crop, 3); nothing where devices make the views
  std::shared_ptr<ClipUploads> uploads;  ///< what devices make the views from; else null
  double transform_ms = 0;               ///< what preparing them took
};

/// All views of a video have been given.
struct VideoEnd {
  std::size_t video = 0;
  std::shared_ptr<const LoadedClips> clips;  ///< the whole of it
  Stopwatch age;                             ///< since loading began
};

/// A video cannot be used; views that were given before are void.
struct VideoFailure {
  std::size_t video = 0;
  Failure failure;
};

using PipelineEvent = std::variant<ViewBatch, VideoEnd, VideoFailure>;

class ViewPipeline {
 public:
  struct Options {
    SamplingConfig sampling;
    DType dtype = DType::f32;  ///< of views
    int batch = 1;             ///< views of a batch; the last one of a video may have fewer
    /// Views are made by devices; a batch has none itself.
    bool on_device = false;
    /// Where the frames of every clip are uploaded as soon as they are there, if there is room; null: nowhere
    /// yet. It outlives the pipeline.
    ViewMaker* upload_to = nullptr;
  };

  /// Starts working at once.
  ViewPipeline(std::vector<ClipSource> sources, Options options);
  ViewPipeline(const ViewPipeline&) = delete;
  ViewPipeline& operator=(const ViewPipeline&) = delete;
  /// Stops the work, with the frame that is being decoded, and ends the threads.
  ~ViewPipeline();

  /// Waits for the next event. The batches of a video come together, in an order that depends on the video
  /// alone, and then its end or failure. Nothing after that of the last.
  std::optional<PipelineEvent> next();

 private:
  class Job;

  void stop() noexcept;
  void load_all(const std::stop_token& stop);
  void view_all();
  bool view(Job& job);  // false: the pipeline is being stopped
  bool emit(ViewBatch batch);
  void fill_views(ViewBatch& batch) const;

  std::vector<ClipSource> sources_;
  Options options_;
  ViewBuffers buffers_;
  BoundedQueue<std::shared_ptr<Job>> jobs_;
  BoundedQueue<PipelineEvent> ready_;
  std::jthread loader_;
  std::jthread viewer_;
};

}  // namespace tpn
