#include "engine/video/video_description.h"

#include "engine/video/frame_converter.h"
#include "engine/video/quantity.h"
#include "kernels/error.h"

namespace tpn {
namespace {

double to_double(AVRational ratio) {
  return ratio.num > 0 && ratio.den > 0 ? av_q2d(ratio) : 0;
}

double frames_per_second(const AVStream& stream) {
  const double average = to_double(stream.avg_frame_rate);
  return average > 0 ? average : to_double(stream.r_frame_rate);
}

/// As the container states them; 0 when it does not, or when they would be no more than a guess from the size
/// of the file.
double stated_seconds(const AVFormatContext& format, const AVStream& stream) {
  if (format.duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) return 0;
  if (stream.duration > 0) return static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  return format.duration > 0 ? static_cast<double>(format.duration) / AV_TIME_BASE : 0;
}

void check_duration(const VideoInfo& info, const std::string& path, const DecodeOptions& options) {
  if (info.seconds <= options.max_seconds) return;
  throw Error(path + ": it lasts " + seconds_text(info.seconds) + ", more than the limit of " +
              seconds_text(options.max_seconds) + ".");
}

}  // namespace

std::string in_parentheses(const std::string& detail) {
  return detail.empty() ? "" : " (" + detail + ")";
}

VideoInfo describe_video(FramePass& pass, const std::string& path, const DecodeOptions& options,
                         const ffmpeg::LogCapture& log) {
  const AVFrame* first = pass.next_frame();
  if (first == nullptr) {
    throw Error(path + ": none of its frames can be decoded" + in_parentheses(log.message()) + ".");
  }
  VideoInfo info;
  info.size = turned_size(*first, pass.orientation());
  info.codec = avcodec_get_name(pass.stream().codecpar->codec_id);
  info.frames_per_second = frames_per_second(pass.stream());
  info.seconds = stated_seconds(pass.format(), pass.stream());
  check_duration(info, path, options);
  return info;
}

void set_frames(std::int64_t frames, const std::string& path, const DecodeOptions& options, VideoInfo& info) {
  info.frames = frames;
  if (info.seconds != 0 || info.frames_per_second == 0) return;
  info.seconds = static_cast<double>(frames) / info.frames_per_second;
  check_duration(info, path, options);
}

}  // namespace tpn
