// Writes video files with FFmpeg's encoders.
#pragma once

#include <filesystem>
#include <memory>

#include "kernels/preprocess/image.h"

namespace tpn {

struct VideoWriterOptions {
  ImageSize size;       ///< of all frames; both sides even
  int frame_rate = 25;  ///< frames a second
  int quality = 4;      ///< of MPEG-4: 1 (best) to 31
};

/// An MP4 file with MPEG-4 video, which FFmpeg encodes by itself, a key frame at least every 12 frames.
/// Throws Error naming the file.
class VideoWriter {
 public:
  VideoWriter(const std::filesystem::path& path, const VideoWriterOptions& options);
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;
  /// Without finish() the file is of no use.
  ~VideoWriter();

  void add(const ImageView& frame);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tpn
