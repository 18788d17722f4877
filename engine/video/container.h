// Opening the container of a video: what may be opened, and what it says about what it holds.
#pragma once

#include <cstdint>
#include <string>

#include "engine/video/ffmpeg.h"
#include "engine/video/video_source.h"

namespace tpn {

/// Opens a file, or where allowed a URL or a playlist. Throws Error, naming it, when that is not possible.
ffmpeg::FormatContext open_container(const std::string& path, const DecodeOptions& options);

/// What is seen of a file while its packets are read once, to be held against what the container announces.
class ContainerCheck {
 public:
  /// Of a container that has just been opened.
  explicit ContainerCheck(const AVFormatContext& format);

  /// Whether note() has to be told of the packets of all streams, and not of those of the pictures alone: a
  /// duration that is announced is that of the longest stream.
  [[nodiscard]] bool needs_all_streams() const { return !has_index_; }

  void note(const AVFormatContext& format, const AVPacket& packet, bool is_picture);

  /// At the end of the file: a clause about what is missing; empty when nothing is, as far as the container
  /// tells. `pictures` is the number of their stream.
  [[nodiscard]] std::string missing(AVFormatContext& format, int pictures) const;

 private:
  bool has_index_;            // that names every frame
  std::int64_t packets_ = 0;  // of pictures, none of them empty
  double end_seconds_ = 0;    // of the stream that ends last
};

}  // namespace tpn
