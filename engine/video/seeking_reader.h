// A video file as a FrameReader.
#pragma once

#include <optional>
#include <string>

#include "engine/video/frame_index.h"
#include "engine/video/frame_pass.h"
#include "engine/video/frame_reader.h"

namespace tpn {

/// Where the container states when each picture is shown and has an index (MP4, Matroska), reading begins
/// with the last key frame before each frame that is wanted, and frames are told by their times. Other files
/// are read from the start and their frames counted.
class SeekingReader : public FrameReader {
 public:
  /// Throws as open_frames().
  SeekingReader(std::string path, const DecodeOptions& options);

  [[nodiscard]] const VideoInfo& info() const override { return info_; }
  void read(std::span<const std::int64_t> indices, const Receiver& receive) const override;
  [[nodiscard]] std::size_t bytes() const override;

 private:
  class Reading;

  std::string path_;
  DecodeOptions options_;
  StreamChoice stream_;
  VideoInfo info_;
  std::optional<FrameIndex> index_;  // none: frames are counted
};

}  // namespace tpn
