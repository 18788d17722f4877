// What is said about a video file when it is opened. Internal to the sources of frames.
#pragma once

#include <cstdint>
#include <string>

#include "engine/video/ffmpeg.h"
#include "engine/video/frame_pass.h"
#include "engine/video/video_source.h"

namespace tpn {

/// FFmpeg's own words behind a message, where it had any.
std::string in_parentheses(const std::string& detail);

/// All but the number of frames, from a pass that begins: decodes the first frame. Throws Error, naming the
/// file, when there is none or the video is longer than the limit.
VideoInfo describe_video(FramePass& pass, const std::string& path, const DecodeOptions& options,
                         const ffmpeg::LogCapture& log);

/// Enters the number of frames, and the seconds where only these tell. Throws Error as describe_video().
void set_frames(std::int64_t frames, const std::string& path, const DecodeOptions& options, VideoInfo& info);

}  // namespace tpn
