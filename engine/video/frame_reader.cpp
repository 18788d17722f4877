#include "engine/video/frame_reader.h"

#include "engine/video/raw_frames.h"
#include "engine/video/seeking_reader.h"

namespace tpn {

std::unique_ptr<FrameReader> open_frames(const std::string& path, const DecodeOptions& options,
                                         const RawFrameNames& names, std::int64_t frames) {
  if (kind_of_video(path) == VideoKind::folder) {
    return std::make_unique<RawFrames>(path, options, names, frames);
  }
  return std::make_unique<SeekingReader>(path, options);
}

}  // namespace tpn
