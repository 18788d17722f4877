// Single frames out of the middle of videos, decoding as little else as possible: what training reads. (A
// VideoSource decodes to the end, which is how all frames of a video are counted for certain.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/video/video_source.h"

namespace tpn {

/// What the frames in a folder are called.
struct RawFrameNames {
  std::string pattern = {};      ///< FramePattern with a number; empty: those that choose_frames() takes
  std::int64_t start_index = 1;  ///< number of the first frame, where there is a pattern
};

/// What was learnt about a video when it was opened. Nothing stays open; any number of threads may read at
/// once.
class FrameReader {
 public:
  using Receiver = VideoSource::Receiver;

  FrameReader() = default;
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;
  virtual ~FrameReader() = default;

  /// `frames` is exact, but for what damage takes away.
  [[nodiscard]] virtual const VideoInfo& info() const = 0;

  /// Hands over the frames of the given numbers (ascending, without repetition, below info().frames), all of
  /// info().size. Throws Error, naming the file, when one of them is missing or damaged, and what `receive`
  /// throws.
  virtual void read(std::span<const std::int64_t> indices, const Receiver& receive) const = 0;

  /// Memory that it holds.
  [[nodiscard]] virtual std::size_t bytes() const = 0;
};

/// Opens a video file or a folder of raw frames, `frames` of them where that is not 0. Video files are read
/// once without decoding more than the first frame; those whose frames cannot be told by their times are
/// decoded once to be counted. Of a folder the first image is decoded. Throws Error, naming the file, when it
/// cannot be read, holds no video, exceeds a limit, or has fewer than `frames` frames.
std::unique_ptr<FrameReader> open_frames(const std::string& path, const DecodeOptions& options = {},
                                         const RawFrameNames& names = {}, std::int64_t frames = 0);

}  // namespace tpn
