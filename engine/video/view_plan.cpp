#include "engine/video/view_plan.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "engine/video/sampling.h"
#include "kernels/error.h"

namespace tpn {
namespace {

// A clip of eight such frames takes 50 MB; no camera makes wider pictures.
constexpr int largest_resized_side = 8192;

// Far more than any protocol has; the frames of all clips are kept until a video has been seen.
constexpr int most_clips = 1000;

std::string clips_out_of_range(int clips) {
  return "The number of clips must be between 1 and " + std::to_string(most_clips) + ", but is " +
         std::to_string(clips) + ".";
}

ClipSampling clip_sampling(const SamplingConfig& sampling, const std::optional<ViewCounts>& counts) {
  ClipSampling result;
  result.clip_len = sampling.clip_len;
  result.frame_interval = sampling.frame_interval;
  result.num_clips = sampling.num_clips;
  result.twice_sample = sampling.twice_sample;
  if (!counts) return result;
  if (sampling.clip_len > 1) {
    if (counts->clips > most_clips) throw Error(clips_out_of_range(counts->clips));
    result.num_clips = counts->clips;
    result.twice_sample = false;
  } else if (counts->clips == 1 || counts->clips == 2) {
    result.twice_sample = counts->clips == 2;
  } else {
    throw Error("A model that takes one frame from each segment has 1 or 2 clips, not " +
                std::to_string(counts->clips) + ".");
  }
  return result;
}

std::vector<CropOffset> crop_offsets(ImageSize resized, int crop_size, int crops) {
  if (crops == 1) return {center_crop_offset(resized, crop_size)};
  if (crops == 3) return three_crop_offsets(resized, crop_size);
  throw Error("A view plan has 1 or 3 crops, not " + std::to_string(crops) + ".");
}

}  // namespace

ViewCounts parse_view_counts(std::string_view text) {
  ViewCounts counts;
  const char* end = text.data() + text.size();
  const auto [after_clips, clips_error] = std::from_chars(text.data(), end, counts.clips);
  if (clips_error == std::errc{} && after_clips != end && *after_clips == 'x') {
    const auto [after_crops, crops_error] = std::from_chars(after_clips + 1, end, counts.crops);
    if (crops_error == std::errc{} && after_crops == end && counts.clips > 0 && counts.crops > 0) {
      if (counts.clips > most_clips) throw Error(clips_out_of_range(counts.clips));
      return counts;
    }
  }
  throw Error("Views are given as CLIPSxCROPS, for example 10x3, not as '" + std::string(text) + "'.");
}

ViewPlan plan_views(std::int64_t total_frames, ImageSize frame_size, const SamplingConfig& sampling,
                    const std::optional<ViewCounts>& counts) {
  const ClipSampling clips = clip_sampling(sampling, counts);
  ViewPlan plan;
  plan.total_frames = total_frames;
  plan.resized = short_side_size(frame_size, sampling.short_side);
  if (std::max(plan.resized.width, plan.resized.height) > largest_resized_side) {
    throw Error("Frames of " + std::to_string(frame_size.width) + "x" + std::to_string(frame_size.height) +
                " pixels are too long for their width: resized, a side would exceed " +
                std::to_string(largest_resized_side) + " pixels.");
  }
  plan.crop_size = sampling.crop_size;
  plan.crops = crop_offsets(plan.resized, sampling.crop_size, counts ? counts->crops : sampling.crops);
  plan.frame_indices = sample_test_frames(total_frames, clips);
  plan.view_frames = clips.clip_len == 1 ? clips.num_clips : clips.clip_len;
  plan.clips = static_cast<int>(plan.frame_indices.size()) / plan.view_frames;
  plan.selected = plan.frame_indices;
  std::sort(plan.selected.begin(), plan.selected.end());
  plan.selected.erase(std::unique(plan.selected.begin(), plan.selected.end()), plan.selected.end());
  for (const std::int64_t index : plan.frame_indices) {
    const auto found = std::lower_bound(plan.selected.begin(), plan.selected.end(), index);
    plan.slots.push_back(static_cast<std::size_t>(found - plan.selected.begin()));
  }
  return plan;
}

}  // namespace tpn
