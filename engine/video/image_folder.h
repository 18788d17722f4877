// A folder of images (raw frames) as a VideoSource.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/video/image_decoder.h"
#include "engine/video/video_source.h"

namespace tpn {

class ImageFolder : public VideoSource {
 public:
  /// Lists the folder, chooses its frames (choose_frames()), checks all of them (ImageDecoder::check()),
  /// leaves out those that cannot be decoded, and decodes the first. Throws as open_video().
  ImageFolder(const std::filesystem::path& folder, const DecodeOptions& options);

  [[nodiscard]] const VideoInfo& info() const override { return info_; }

  /// Decodes the wanted images only. If one cannot be decoded though its check went well, all are decoded,
  /// those that cannot be leave the sequence for good, and the report's `frames` is the number of those left.
  using VideoSource::read;
  DecodeReport read(std::span<const std::int64_t> indices, const Receiver& receive,
                    const std::stop_token& stop) override;

 private:
  struct Frame {
    std::filesystem::path path;
    bool damaged = false;  // and it has been said
  };

  /// Removes frames for which `look` fails, and warns of these and of those for which it gives a damage.
  template <class Look>
  void examine(const Look& look);
  /// Warns of a frame of which parts are missing, once.
  void note_damage(Frame& frame, const std::string& damage);

  std::string name_;
  DecodeOptions options_;
  ImageDecoder decoder_;
  std::vector<Frame> frames_;
  std::vector<std::string> warnings_;  // as found so far
  std::int64_t lost_ = 0;              // frames removed
  std::int64_t damaged_ = 0;
  VideoInfo info_;
};

}  // namespace tpn
