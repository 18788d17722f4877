#include "engine/data/training_loader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "engine/data/clip_maker.h"
#include "engine/data/frame_cache.h"
#include "kernels/caught.h"
#include "kernels/memory.h"
#include "kernels/ops/normalize_crop.h"
#include "kernels/stopwatch.h"

namespace tpn {

/// The threads, and the clips between them and the caller.
class TrainingLoader::Pool {
 public:
  Pool(std::vector<Sample> samples, ClipOptions options, int threads, std::int64_t cache_bytes)
      : samples_(std::move(samples)),
        options_(std::move(options)),
        cache_(samples_.size(), cache_bytes),
        maker_(options_, cache_),
        ahead_(options_.ahead) {
    if (threads < 1 || options_.crop_size < 1 || options_.frames() < 1 || !is_view_type(options_.dtype)) {
      throw Error(
          "Clips are loaded by one thread or more, have one frame and one pixel or more, and are of f32, f16 "
          "or bf16.");
    }
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    room_.notify_all();
  }

  void start(std::vector<std::size_t> order, std::int64_t epoch, OrderShare share) {
    const auto found =
        std::ranges::find_if(order, [&](std::size_t sample) { return sample >= samples_.size(); });
    if (found != order.end()) {
      throw Error("There is no sample " + std::to_string(*found) + " among " +
                  std::to_string(samples_.size()) + ".");
    }
    if (share.stride < 1) throw Error("A share of an order takes every first or later of its samples.");
    const std::lock_guard lock(mutex_);
    order_ = std::move(order);
    epoch_ = epoch;
    stride_ = share.stride;
    next_position_ = share.first;
    clips_.clear();
    room_.notify_all();
  }

  std::vector<LoadedClip> next(const TensorView& views) {
    check_views(views);
    std::vector<std::shared_ptr<Clip>> taken = take(static_cast<std::size_t>(views.shape[0]));
    std::vector<LoadedClip> loaded;
    std::byte* to = views.data;
    for (const std::shared_ptr<Clip>& clip : taken) {
      std::memcpy(to, clip->view.data(), clip->view.bytes());
      to += clip->view.bytes();
      loaded.push_back({clip->sample, clip->label});
    }
    const std::lock_guard lock(mutex_);
    for (const std::shared_ptr<Clip>& clip : taken) free_views_.push_back(std::move(clip->view));
    return loaded;
  }

  [[nodiscard]] double waited_seconds() const { return waited_seconds_; }
  [[nodiscard]] std::int64_t cached_bytes() const { return cache_.bytes(); }

 private:
  /// One that a thread has taken on. Those that start() drops are finished and forgotten.
  struct Clip {
    std::size_t sample = 0;
    std::size_t position = 0;
    std::int64_t epoch = 0;
    HostBuffer view;
    // Set when it is done, under the lock:
    bool done = false;
    std::int64_t label = 0;
    std::optional<std::string> failure;
  };

  [[nodiscard]] Shape view_shape() const {
    return {options_.frames(), options_.crop_size, options_.crop_size, 3};
  }

  void check_views(const TensorView& views) const {
    const Shape view = view_shape();
    const bool fits = views.shape.rank() == 5 && views.shape[0] > 0 && views.dtype == options_.dtype &&
                      std::equal(view.begin(), view.end(), views.shape.begin() + 1);
    if (fits) return;
    throw Error("Clips are " + to_string(view) + " of " + std::string(name_of(options_.dtype)) +
                "; the tensor for a batch of them is " + to_string(views.shape) + " of " +
                std::string(name_of(views.dtype)) + ".");
  }

  /// The next clips, as many or those that are left, all of them done.
  std::vector<std::shared_ptr<Clip>> take(std::size_t count) {
    const Stopwatch waiting;
    std::unique_lock lock(mutex_);
    ahead_ = std::max(ahead_, count);
    room_.notify_all();
    const auto is_known = [&](std::size_t i) {
      return i < clips_.size() ? clips_[i]->done : next_position_ >= order_.size();
    };
    for (std::size_t i = 0; i < count; ++i) {
      done_.wait(lock, [&] { return is_known(i); });
      if (i == clips_.size()) break;
      if (!clips_[i]->failure) continue;
      const std::shared_ptr<Clip> failed = clips_[i];
      clips_.erase(clips_.begin() + static_cast<std::ptrdiff_t>(i));
      room_.notify_all();
      waited_seconds_ += waiting.seconds();
      throw SampleError(*failed->failure, failed->sample);
    }
    const auto end = clips_.begin() + static_cast<std::ptrdiff_t>(std::min(count, clips_.size()));
    std::vector<std::shared_ptr<Clip>> taken(clips_.begin(), end);
    clips_.erase(clips_.begin(), end);
    room_.notify_all();
    waited_seconds_ += waiting.seconds();
    return taken;
  }

  /// The next position to be loaded; nothing when the loader ends.
  std::shared_ptr<Clip> claim() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return ending_ || (next_position_ < order_.size() && clips_.size() < ahead_); });
    if (ending_) return nullptr;
    auto clip = std::make_shared<Clip>();
    clip->sample = order_[next_position_];
    clip->position = next_position_;
    clip->epoch = epoch_;
    if (!free_views_.empty()) {
      clip->view = std::move(free_views_.back());
      free_views_.pop_back();
    }
    next_position_ += std::min(stride_, order_.size() - next_position_);
    clips_.push_back(clip);
    return clip;
  }

  void work() {
    const TensorView shape{nullptr, options_.dtype, view_shape()};
    while (const std::shared_ptr<Clip> clip = claim()) {
      const Sample& sample = samples_[clip->sample];
      const Result<std::int64_t> label = caught([&] {
        if (clip->view.bytes() == 0) clip->view = HostBuffer(shape.bytes());
        const Draws draws(options_.seed, clip->epoch, clip->position);
        return maker_.make(sample, clip->sample, draws, {clip->view.data(), shape.dtype, shape.shape});
      });
      const std::lock_guard lock(mutex_);
      if (label) {
        clip->label = *label;
      } else {
        clip->failure = about(sample, label.failure().message);
      }
      clip->done = true;
      done_.notify_all();
    }
  }

  const std::vector<Sample> samples_;
  const ClipOptions options_;
  FrameCache cache_;
  const ClipMaker maker_;
  double waited_seconds_ = 0;

  std::mutex mutex_;
  std::condition_variable room_;  // for one more clip, or the end
  std::condition_variable done_;
  std::vector<std::size_t> order_;
  std::int64_t epoch_ = 0;
  std::size_t stride_ = 1;
  std::size_t next_position_ = 0;            // that no thread has claimed
  std::deque<std::shared_ptr<Clip>> clips_;  // claimed and not given out, in order
  std::size_t ahead_;                        // most of them
  std::vector<HostBuffer> free_views_;
  bool ending_ = false;

  std::vector<std::jthread> threads_;  // last: they end before what they use
};

TrainingLoader::TrainingLoader(std::vector<Sample> samples, ClipOptions options, int threads,
                               std::int64_t cache_bytes)
    : pool_(std::make_unique<Pool>(std::move(samples), std::move(options), threads, cache_bytes)) {}

TrainingLoader::~TrainingLoader() = default;

void TrainingLoader::start(std::vector<std::size_t> order, std::int64_t epoch, OrderShare share) {
  pool_->start(std::move(order), epoch, share);
}

std::vector<LoadedClip> TrainingLoader::next(const TensorView& views) {
  return pool_->next(views);
}

double TrainingLoader::waited_seconds() const {
  return pool_->waited_seconds();
}

std::int64_t TrainingLoader::cached_bytes() const {
  return pool_->cached_bytes();
}

}  // namespace tpn
