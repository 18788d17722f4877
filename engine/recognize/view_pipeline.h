// Decoding and view preparation on threads of their own, so that they overlap with the network.
//
//   loading thread   sources one after the other -> clips
//   viewing thread   clips that are ready -> batches of normalised views, or of frames on a device
//   next()           the batches, for the calling thread
//
// While the views of a video are being prepared, the next video is decoded, and no more than that: the frames
// of two videos and two batches of views are in memory at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "engine/recognize/bounded_queue.h"
#include "engine/recognize/clip_uploads.h"
#include "engine/video/clip_loader.h"
#include "engine/video/stopwatch.h"
#include "kernels/memory.h"
#include "kernels/tensor.h"

namespace tpn {

/// Loads one video, reporting to the events: load_clips() with its other arguments bound.
using ClipSource = std::function<std::shared_ptr<const LoadedClips>(const ClipEvents& events)>;

/// Some views of a video, or, when there are none, the end of the video.
struct ViewBatch {
  std::size_t video = 0;  ///< number of the source
  /// What the views were taken from. Another object than in the batch before, with the same video: its frame
  /// count was corrected, and the views before are void. At the end of a video that did load, the whole of
  /// it; null when it did not.
  std::shared_ptr<const LoadedClips> clips;
  std::vector<int> views;                ///< their numbers
  HostBuffer data;                       ///< (views, T, crop, crop, 3); nothing where devices make the views
  std::shared_ptr<ClipUploads> uploads;  ///< what devices make the views from; else null
  double transform_ms = 0;               ///< what preparing them took
  Stopwatch age;                         ///< since loading began
  std::exception_ptr error;              ///< at the end: why the video could not be used
};

class ViewPipeline {
 public:
  struct Options {
    SamplingConfig sampling;
    DType precision = DType::f32;
    int batch = 1;  ///< views of a batch; the last one of a video may have fewer
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
  /// Stops the work, as soon as a video being decoded reports a clip, and ends the threads.
  ~ViewPipeline();

  /// Waits for the next batch. The batches of a video come together, in an order that depends on the video
  /// alone, and then its end. Nothing after the end of the last.
  std::optional<ViewBatch> next();
  /// Gives a batch's memory back once its views have been read: preparation goes on only when there is some.
  void recycle(ViewBatch&& batch);

 private:
  class Job;

  void stop() noexcept;
  void load_all();
  void load(Job& job);
  void view_all();
  bool view(Job& job);  // false: the pipeline is being stopped
  bool emit(ViewBatch batch);
  void fill_views(ViewBatch& batch) const;

  std::vector<ClipSource> sources_;
  Options options_;
  std::atomic<bool> stopping_ = false;
  BoundedQueue<std::shared_ptr<Job>> jobs_;
  BoundedQueue<HostBuffer> free_;
  BoundedQueue<ViewBatch> ready_;
  std::jthread loader_;
  std::jthread viewer_;
};

}  // namespace tpn
