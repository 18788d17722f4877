#include "engine/recognize/view_pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <utility>

#include "kernels/caught.h"

namespace tpn {
namespace {

constexpr std::size_t most_buffers = 2;  // one is filled while the other waits to be read

}  // namespace

/// A video on its way from the loading to the viewing thread.
class ViewPipeline::Job {
 public:
  struct State {
    std::shared_ptr<const LoadedClips> clips;
    std::vector<int> ready;  ///< clips that nobody has looked at
    bool finished = false;
    std::optional<Failure> failure;  ///< of a video that is finished
    Stopwatch age;
  };

  explicit Job(std::size_t video) : video_(video) {}

  [[nodiscard]] std::size_t video() const { return video_; }

  template <class Change>
  void update(const Change& change) {
    const std::lock_guard lock(mutex_);
    change(state_);
    changed_.notify_all();
  }

  /// Waits until there is something to do; the ready clips are handed out once.
  State wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return state_.finished || !state_.ready.empty(); });
    State now = state_;
    state_.ready.clear();
    return now;
  }

  /// Loads the video, telling the viewing thread what is there.
  void load(const ClipSource& source, const std::stop_token& stop) {
    ClipEvents events;
    events.planned = [this](const std::shared_ptr<const LoadedClips>& clips) {
      update([&](State& state) {
        state.clips = clips;
        state.ready.clear();
      });
    };
    events.clip_ready = [this](int clip) { update([&](State& state) { state.ready.push_back(clip); }); };
    events.stop = stop;
    update([](State& state) { state.age = Stopwatch(); });
    Result<std::shared_ptr<const LoadedClips>> loaded = caught([&] { return source(events); });
    update([&](State& state) {
      state.finished = true;
      if (loaded) {
        state.clips = *std::move(loaded);
      } else {
        state.failure = loaded.failure();
      }
    });
  }

 private:
  const std::size_t video_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_;
};

ViewPipeline::ViewPipeline(std::vector<ClipSource> sources, Options options)
    : sources_(std::move(sources)),
      options_(std::move(options)),
      buffers_(most_buffers),
      jobs_(1),
      ready_(most_buffers + 1) {
  try {
    loader_ = std::jthread([this](const std::stop_token& stop) { load_all(stop); });
    viewer_ = std::jthread([this] { view_all(); });
  } catch (const std::system_error&) {
    stop();  // the loading thread would wait for ever for the other one
    throw Error("A thread cannot be started: there is not enough memory, or there are too many.");
  }
}

ViewPipeline::~ViewPipeline() {
  stop();
}

void ViewPipeline::stop() noexcept {
  loader_.request_stop();
  jobs_.cancel();
  buffers_.cancel();
  ready_.cancel();
}

std::optional<PipelineEvent> ViewPipeline::next() {
  return ready_.pop();
}

void ViewPipeline::load_all(const std::stop_token& stop) {
  for (std::size_t video = 0; video < sources_.size(); ++video) {
    const auto job = std::make_shared<Job>(video);
    // The queue has one place, so that this waits while the video before has not been taken up.
    if (!jobs_.push(job)) return;
    job->load(sources_[video], stop);
  }
  jobs_.finish();
}

void ViewPipeline::view_all() {
  while (const std::optional<std::shared_ptr<Job>> job = jobs_.pop()) {
    const Result<bool> goes_on = caught([&] { return view(**job); });
    if (!goes_on) {
      if (!ready_.push(VideoFailure{(*job)->video(), goes_on.failure()})) return;
    } else if (!*goes_on) {
      return;
    }
  }
  ready_.finish();
}

bool ViewPipeline::view(Job& job) {
  std::shared_ptr<const LoadedClips> clips;
  std::shared_ptr<ClipUploads> uploads;
  std::vector<int> waiting;  // views of ready clips
  double upload_ms = 0;      // since the last batch
  for (;;) {
    const Job::State now = job.wait();
    if (now.failure) return ready_.push(VideoFailure{job.video(), *now.failure});
    if (now.clips != clips) {
      clips = now.clips;
      if (options_.on_device) uploads = std::make_shared<ClipUploads>(clips);
      waiting.clear();
    }
    for (const int clip : now.ready) {
      if (options_.upload_to != nullptr) {
        const Stopwatch uploading;
        uploads->upload(*options_.upload_to, clip);
        upload_ms += uploading.ms();
      }
      for (std::size_t crop = 0; crop < clips->plan.crops.size(); ++crop) {
        waiting.push_back(clip + static_cast<int>(crop) * clips->plan.clips);
      }
    }
    const auto full = static_cast<std::size_t>(options_.batch);
    while (waiting.size() >= full || (now.finished && !waiting.empty())) {
      const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(std::min(full, waiting.size()));
      ViewBatch batch;
      batch.video = job.video();
      batch.clips = clips;
      batch.views = {waiting.begin(), end};
      batch.uploads = uploads;
      batch.transform_ms = std::exchange(upload_ms, 0);
      if (!emit(std::move(batch))) return false;
      waiting.erase(waiting.begin(), end);
    }
    if (now.finished) return ready_.push(VideoEnd{job.video(), clips, now.age});
  }
}

bool ViewPipeline::emit(ViewBatch batch) {
  std::optional<ViewBuffers::Loan> buffer = buffers_.borrow();
  if (!buffer) return false;
  batch.data = std::move(*buffer);
  if (!options_.on_device) fill_views(batch);
  return ready_.push(std::move(batch));
}

void ViewPipeline::fill_views(ViewBatch& batch) const {
  const Stopwatch transforming;
  const ViewPlan& plan = batch.clips->plan;
  const Shape shape{plan.view_frames, plan.crop_size, plan.crop_size, 3};
  const std::size_t bytes = static_cast<std::size_t>(shape.count()) * size_of(options_.dtype);
  batch.data.reserve(batch.views.size() * bytes);
  for (std::size_t i = 0; i < batch.views.size(); ++i) {
    const TensorView out{batch.data.data() + i * bytes, options_.dtype, shape};
    fill_view(*batch.clips, batch.views[i], options_.sampling, out);
  }
  batch.transform_ms = transforming.ms();
}

}  // namespace tpn
