// A video file as a VideoSource.
#pragma once

#include <string>

#include "engine/video/frame_pass.h"
#include "engine/video/video_source.h"

namespace tpn {

class VideoFile : public VideoSource {
 public:
  /// Reads the whole file once without decoding, all but the first frame. Throws as open_video().
  VideoFile(std::string path, const DecodeOptions& options);

  [[nodiscard]] const VideoInfo& info() const override { return info_; }
  using VideoSource::read;
  DecodeReport read(std::span<const std::int64_t> indices, const Receiver& receive,
                    const std::stop_token& stop) override;

 private:
  std::string path_;
  DecodeOptions options_;
  StreamChoice stream_;
  VideoInfo info_;
  std::string missing_;  // a clause about what the file lacks; empty when it is whole
};

}  // namespace tpn
