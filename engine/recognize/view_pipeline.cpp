#include "engine/recognize/view_pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <utility>

#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::size_t most_buffers = 2;  // one is filled while the other waits to be read

/// Thrown through load_clips() to end it.
struct Stopped {};

}  // namespace

/// A video on its way from the loading to the viewing thread.
class ViewPipeline::Job {
 public:
  struct State {
    std::shared_ptr<const LoadedClips> clips;
    std::vector<int> ready;  ///< clips that nobody has looked at
    bool finished = false;
    std::exception_ptr error;
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

 private:
  const std::size_t video_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_;
};

ViewPipeline::ViewPipeline(std::vector<ClipSource> sources, Options options)
    : sources_(std::move(sources)),
      options_(std::move(options)),
      jobs_(1),
      free_(most_buffers),
      ready_(most_buffers + 1) {
  for (std::size_t i = 0; i < most_buffers; ++i) free_.push({});
  try {
    loader_ = std::jthread([this] { load_all(); });
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
  stopping_ = true;
  jobs_.cancel();
  free_.cancel();
  ready_.cancel();
}

std::optional<ViewBatch> ViewPipeline::next() {
  return ready_.pop();
}

void ViewPipeline::recycle(ViewBatch&& batch) {
  free_.push(std::move(batch.data));
}

void ViewPipeline::load_all() {
  for (std::size_t video = 0; video < sources_.size(); ++video) {
    const auto job = std::make_shared<Job>(video);
    // The queue has one place, so that this waits while the video before has not been taken up.
    if (!jobs_.push(job)) return;
    load(*job);
  }
  jobs_.finish();
}

void ViewPipeline::load(Job& job) {
  const auto check = [this] {
    if (stopping_) throw Stopped{};
  };
  ClipEvents events;
  events.planned = [&](const std::shared_ptr<const LoadedClips>& clips) {
    check();
    job.update([&](Job::State& state) {
      state.clips = clips;
      state.ready.clear();
    });
  };
  events.clip_ready = [&](int clip) {
    check();
    job.update([&](Job::State& state) { state.ready.push_back(clip); });
  };
  job.update([](Job::State& state) { state.age = Stopwatch(); });
  try {
    const std::shared_ptr<const LoadedClips> clips = sources_[job.video()](events);
    job.update([&](Job::State& state) {
      state.clips = clips;
      state.finished = true;
    });
  } catch (...) {
    job.update([error = std::current_exception()](Job::State& state) {
      state.error = error;
      state.finished = true;
    });
  }
}

void ViewPipeline::view_all() {
  while (const std::optional<std::shared_ptr<Job>> job = jobs_.pop()) {
    if (!view(**job)) return;
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
    if (now.clips != clips) {
      clips = now.clips;
      if (options_.on_device && clips) uploads = std::make_shared<ClipUploads>(clips);
      waiting.clear();
    }
    const auto batch_of = [&](std::vector<int> views) {
      ViewBatch batch;
      batch.video = job.video();
      batch.clips = clips;
      batch.views = std::move(views);
      batch.uploads = uploads;
      batch.transform_ms = std::exchange(upload_ms, 0);
      batch.age = now.age;
      return batch;
    };
    try {
      if (now.error) std::rethrow_exception(now.error);
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
        if (!emit(batch_of({waiting.begin(), end}))) return false;
        waiting.erase(waiting.begin(), end);
      }
      if (now.finished) return ready_.push(batch_of({}));
    } catch (...) {
      ViewBatch failed = batch_of({});
      failed.clips = nullptr;
      failed.error = std::current_exception();
      return ready_.push(std::move(failed));
    }
  }
}

bool ViewPipeline::emit(ViewBatch batch) {
  std::optional<HostBuffer> buffer = free_.pop();
  if (!buffer) return false;
  batch.data = std::move(*buffer);
  try {
    if (!options_.on_device) fill_views(batch);
  } catch (...) {
    recycle(std::move(batch));
    throw;
  }
  return ready_.push(std::move(batch));
}

void ViewPipeline::fill_views(ViewBatch& batch) const {
  const Stopwatch transforming;
  const ViewPlan& plan = batch.clips->plan;
  const Shape shape{plan.view_frames, plan.crop_size, plan.crop_size, 3};
  const std::size_t bytes = static_cast<std::size_t>(shape.count()) * size_of(options_.precision);
  if (batch.data.bytes() < batch.views.size() * bytes) batch.data = HostBuffer(batch.views.size() * bytes);
  for (std::size_t i = 0; i < batch.views.size(); ++i) {
    const TensorView out{batch.data.data() + i * bytes, options_.precision, shape};
    fill_view(*batch.clips, batch.views[i], options_.sampling, out);
  }
  batch.transform_ms = transforming.ms();
}

}  // namespace tpn
