#include "engine/data/clip_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/video/sampling.h"
#include "engine/video/view_plan.h"

namespace tpn {
namespace {

/// Enters frame numbers, in the clip's order.
void set_frames(const std::vector<std::int64_t>& numbers, ClipPlan& plan) {
  plan.frames = numbers;
  std::ranges::sort(plan.frames);
  plan.frames.erase(std::unique(plan.frames.begin(), plan.frames.end()), plan.frames.end());
  for (const std::int64_t number : numbers) {
    const auto found = std::ranges::lower_bound(plan.frames, number);
    plan.slots.push_back(static_cast<std::size_t>(found - plan.frames.begin()));
  }
}

/// The middle clip and crop of the test protocol.
ClipPlan plan_middle(const VideoInfo& video, const ClipOptions& options) {
  SamplingConfig sampling = options.sampling;
  sampling.short_side = options.short_side;
  sampling.crop_size = options.crop_size;
  const ViewPlan view = plan_views(video.frames, video.size, sampling, ViewCounts{1, 1});
  ClipPlan plan;
  set_frames(view.frame_indices, plan);
  plan.box = {0, 0, video.size};
  plan.resized = view.resized;
  plan.crop = view.crop_of(0);
  return plan;
}

ColorJitter random_jitter(std::uint64_t seed, Draws& draws) {
  ColorJitter jitter;
  jitter.brightness = draws.uniform(0.5, 1.5);
  jitter.contrast = draws.uniform(0.5, 1.5);
  jitter.saturation = draws.uniform(0.5, 1.5);
  jitter.hue = draws.uniform(-0.1, 0.1);
  jitter.order = jitter_order(seed);
  return jitter;
}

}  // namespace

double ClipOptions::least_crop_area() const {
  if (augmentation == Augmentation::none) return 1;
  return least_area.value_or(augmentation == Augmentation::light ? 0.5 : 0.08);
}

ClipPlan plan_clip(const VideoInfo& video, const ClipOptions& options, Draws draws) {
  if (options.augmentation == Augmentation::none) return plan_middle(video, options);
  ClipPlan plan;
  set_frames(sample_train_frames(video.frames, options.sampling, draws), plan);
  plan.box = random_resized_crop(video.size, options.least_crop_area(), draws);
  plan.resized = {options.crop_size, options.crop_size};
  plan.flip = draws.uniform() < 0.5 && options.flip;
  if (options.augmentation == Augmentation::reference) plan.jitter = random_jitter(options.seed, draws);
  return plan;
}

std::vector<std::int64_t> sample_train_frames(std::int64_t total_frames, const SamplingConfig& sampling,
                                              Draws& draws) {
  ClipSampling clips;
  clips.clip_len = sampling.clip_len;
  clips.frame_interval = sampling.frame_interval;
  clips.num_clips = sampling.clip_len == 1 ? sampling.num_clips : 1;
  const TrainClipRanges ranges = train_clip_ranges(total_frames, clips);
  std::vector<std::int64_t> firsts;
  firsts.reserve(ranges.clips.size());
  for (const auto& [first, last] : ranges.clips) firsts.push_back(first + draws.below(last - first + 1));
  if (ranges.kind == TrainClipRanges::Kind::sorted) std::ranges::sort(firsts);
  std::vector<std::int64_t> frames;
  for (const std::int64_t first : firsts) {
    for (std::int64_t i = 0; i < clips.clip_len; ++i) {
      frames.push_back((first + i * clips.frame_interval) % total_frames);
    }
  }
  return frames;
}

CropBox first_fitting_crop(ImageSize frame, std::span<const CropCandidate> candidates,
                           const std::function<std::int64_t(std::int64_t last)>& pick) {
  for (const CropCandidate& candidate : candidates) {
    const double area = candidate.area * frame.width * frame.height;
    const double width = std::nearbyint(std::sqrt(area * candidate.aspect));
    const double height = std::nearbyint(std::sqrt(area / candidate.aspect));
    if (!(width >= 1 && height >= 1 && width <= frame.width && height <= frame.height)) continue;
    const ImageSize size{static_cast<int>(width), static_cast<int>(height)};
    const auto left = static_cast<int>(pick(frame.width - size.width));
    const auto top = static_cast<int>(pick(frame.height - size.height));
    return {left, top, size};
  }
  const int side = std::min(frame.width, frame.height);
  return {(frame.width - side) / 2, (frame.height - side) / 2, {side, side}};
}

CropBox random_resized_crop(ImageSize frame, double least_area, Draws& draws) {
  constexpr double most_aspect = 4.0 / 3;
  std::array<CropCandidate, 10> candidates{};
  for (CropCandidate& candidate : candidates) {
    candidate.area = draws.uniform(least_area, 1);
    candidate.aspect = std::exp(draws.uniform(-std::log(most_aspect), std::log(most_aspect)));
  }
  return first_fitting_crop(frame, candidates, [&](std::int64_t last) { return draws.below(last + 1); });
}

std::array<JitterStep, 4> jitter_order(std::uint64_t seed) {
  std::array<JitterStep, 4> order = ColorJitter{}.order;
  Draws draws(seed, -1, 0);
  for (std::size_t i = order.size() - 1; i > 0; --i) {
    std::swap(order[i], order[static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(i) + 1))]);
  }
  return order;
}

}  // namespace tpn
