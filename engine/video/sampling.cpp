#include "engine/video/sampling.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/error.h"

namespace tpn {
namespace {

void check(std::int64_t total_frames, const ClipSampling& sampling) {
  if (total_frames < 1) {
    throw Error("Clips cannot be sampled from a video of " + std::to_string(total_frames) + " frames.");
  }
  if (std::min({sampling.clip_len, sampling.frame_interval, sampling.num_clips}) < 1) {
    throw Error("Clip length, frame interval and number of clips must be positive; they are " +
                std::to_string(sampling.clip_len) + ", " + std::to_string(sampling.frame_interval) + " and " +
                std::to_string(sampling.num_clips) + ".");
  }
}

/// Positions of the clips' first frames, before anything past the end is brought back.
std::vector<double> test_clip_positions(std::int64_t total_frames, const ClipSampling& sampling) {
  const int clips = sampling.num_clips * (sampling.twice_sample ? 2 : 1);
  std::vector<double> positions;
  positions.reserve(static_cast<std::size_t>(clips));
  if (sampling.clip_len == 1) {
    const double segment = static_cast<double>(total_frames) / sampling.num_clips;
    for (int i = 0; i < sampling.num_clips; ++i) positions.push_back(i * segment + segment / 2);
    for (int i = sampling.num_clips; i < clips; ++i) positions.push_back((i - sampling.num_clips) * segment);
    return positions;
  }
  const std::int64_t reach = (std::int64_t{sampling.clip_len} - 1) * sampling.frame_interval + 1;
  const std::int64_t slack = std::max<std::int64_t>(total_frames - reach, 0);
  if (clips == 1) {
    const std::int64_t middle = slack / 2;  // rounded down
    return {static_cast<double>(middle)};
  }
  if (sampling.num_clips == 1) {
    throw Error("twice_sample needs more than one clip when clips have more than one frame.");
  }
  const double spacing = static_cast<double>(slack) / (sampling.num_clips - 1);
  for (int i = 0; i < clips; ++i) positions.push_back(std::nearbyint(i * spacing));
  return positions;
}

}  // namespace

std::vector<std::int64_t> sample_test_frames(std::int64_t total_frames, const ClipSampling& sampling) {
  check(total_frames, sampling);
  const auto total = static_cast<double>(total_frames);
  std::vector<std::int64_t> frames;
  for (const double position : test_clip_positions(total_frames, sampling)) {
    double last = 0;
    for (int j = 0; j < sampling.clip_len; ++j) {
      double frame = position + static_cast<double>(j) * sampling.frame_interval;
      if (sampling.out_of_bound == OutOfBound::loop) {
        frame = std::fmod(frame, total);
      } else if (frame < total) {
        last = frame;
      } else {
        frame = last;
      }
      frames.push_back(static_cast<std::int64_t>(frame + sampling.start_index));
    }
  }
  return frames;
}

TrainClipRanges train_clip_ranges(std::int64_t total_frames, const ClipSampling& sampling) {
  check(total_frames, sampling);
  using Kind = TrainClipRanges::Kind;
  const std::int64_t clips = sampling.num_clips;
  // One interval longer than the reach of a clip under the test protocol.
  const std::int64_t span = std::int64_t{sampling.clip_len} * sampling.frame_interval;
  const std::int64_t room = total_frames - span + 1;
  TrainClipRanges ranges{Kind::fixed, {}};
  if (room >= clips) {
    const std::int64_t average = room / clips;
    ranges.kind = Kind::spaced;
    for (std::int64_t i = 0; i < clips; ++i) ranges.clips.push_back({i * average, i * average + average - 1});
  } else if (total_frames > std::max(clips, span)) {
    ranges.kind = Kind::sorted;
    ranges.clips.assign(static_cast<std::size_t>(clips), {0, room - 1});
  } else if (room >= 0) {
    const double spacing = static_cast<double>(room) / static_cast<double>(clips);
    for (std::int64_t i = 0; i < clips; ++i) {
      const auto first = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(i) * spacing));
      ranges.clips.push_back({first, first});
    }
  } else {
    ranges.clips.assign(static_cast<std::size_t>(clips), {0, 0});
  }
  return ranges;
}

}  // namespace tpn
