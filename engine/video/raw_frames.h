// A folder of images as a FrameReader.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/video/frame_pattern.h"
#include "engine/video/frame_reader.h"

namespace tpn {

class RawFrames : public FrameReader {
 public:
  /// Throws as open_frames().
  RawFrames(std::filesystem::path folder, const DecodeOptions& options, const RawFrameNames& names,
            std::int64_t frames);

  [[nodiscard]] const VideoInfo& info() const override { return info_; }
  /// Images of another size than the first are scaled to that.
  void read(std::span<const std::int64_t> indices, const Receiver& receive) const override;
  [[nodiscard]] std::size_t bytes() const override;

 private:
  [[nodiscard]] std::filesystem::path path_of(std::int64_t frame) const;

  std::filesystem::path folder_;
  DecodeOptions options_;
  std::optional<FramePattern> pattern_;  // none: names_
  std::int64_t start_index_ = 0;
  std::vector<std::string> names_;
  VideoInfo info_;
};

}  // namespace tpn
