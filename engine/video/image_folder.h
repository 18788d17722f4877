// A folder of images (raw frames) as a VideoSource.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/video/ffmpeg.h"
#include "engine/video/orientation.h"
#include "engine/video/video_source.h"

namespace tpn {

class ImageFolder : public VideoSource {
 public:
  /// Lists the folder and decodes the first image that can be. Throws as open_video().
  ImageFolder(const std::filesystem::path& folder, const DecodeOptions& options);

  [[nodiscard]] const VideoInfo& info() const override { return info_; }

  /// Decodes the wanted images only. An image that cannot be decoded is taken for lost: then all are tried,
  /// those that cannot be decoded leave the sequence for good, and the report's `frames` is the number of
  /// those left.
  DecodeReport read(std::span<const std::int64_t> indices, const Receiver& receive) override;

 private:
  /// Gives the image's picture to `use(frame, orientation)`; throws Error naming the image.
  template <class Use>
  void decode(const std::filesystem::path& image, const Use& use) const;
  /// Removes what cannot be decoded; returns a warning for each.
  std::vector<std::string> drop_damaged();

  std::string name_;
  DecodeOptions options_;
  std::vector<std::filesystem::path> images_;
  VideoInfo info_;
};

}  // namespace tpn
