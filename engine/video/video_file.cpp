#include "engine/video/video_file.h"

#include <cmath>
#include <utility>

#include "engine/video/stopwatch.h"
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

double seconds(const AVFormatContext& format, const AVStream& stream) {
  if (stream.duration > 0) return static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  return format.duration > 0 ? static_cast<double>(format.duration) / AV_TIME_BASE : 0;
}

std::string count_of(std::int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// FFmpeg's own words, where it had any.
std::string in_parentheses(const std::string& detail) {
  return detail.empty() ? "" : " (" + detail + ")";
}

}  // namespace

VideoFile::VideoFile(std::string path, const DecodeOptions& options)
    : path_(std::move(path)), options_(options) {
  const ffmpeg::LogCapture log;
  FramePass pass(path_, options_);
  const AVFrame* first = pass.next_frame();
  if (first == nullptr)
    throw Error(path_ + ": none of its frames can be decoded" + in_parentheses(log.message()) + ".");
  info_.size = turned_size(*first, pass.orientation());
  info_.codec = avcodec_get_name(pass.stream().codecpar->codec_id);
  info_.frames_per_second = frames_per_second(pass.stream());
  info_.seconds = seconds(pass.format(), pass.stream());
  if (info_.seconds > options_.max_seconds) {
    throw Error(path_ + ": it lasts " + std::to_string(std::llround(info_.seconds)) +
                " seconds, more than the limit of " + std::to_string(std::llround(options_.max_seconds)) +
                ".");
  }
  stream_ = pass.choice();
  pass.skip_to_end();
  info_.frames = pass.presentable_packets();
  missing_ = pass.missing();
}

ImageView VideoFile::convert(FrameConverter& converter, const AVFrame& frame,
                             const Orientation& orientation) const {
  try {
    return converter.convert(frame, orientation);
  } catch (const Error& error) {
    throw Error(path_ + ": " + error.what());
  }
}

DecodeReport VideoFile::read(std::span<const std::int64_t> indices, const Receiver& receive) {
  const ffmpeg::LogCapture log;
  const Stopwatch whole;
  DecodeReport report;
  double outside_ms = 0;  // conversion and the receiver
  FramePass pass(path_, options_, stream_);
  FrameConverter converter(info_.size, options_.accurate_color);
  std::size_t position = 0;
  bool reached_end = false;
  const auto damaged = [&pass] { return pass.damaged_packets() > 0 || pass.damaged_frames() > 0; };
  while (position < indices.size() || damaged()) {
    const AVFrame* frame = pass.next_frame();
    if (frame == nullptr) {
      reached_end = true;
      break;
    }
    const std::int64_t index = report.frames++;
    if (position == indices.size() || index != indices[position]) continue;
    const Stopwatch outside;
    const ImageView picture = convert(converter, *frame, pass.orientation());
    report.convert_ms += outside.ms();
    receive(position++, picture);
    outside_ms += outside.ms();
  }
  if (!reached_end) report.frames = info_.frames;
  report.decode_ms = whole.ms() - outside_ms;
  report.damaged_packets = pass.damaged_packets();

  const auto warn = [&](const std::string& text) { report.warnings.push_back(path_ + ": " + text + "."); };
  if (pass.damaged_packets() > 0) {
    warn(count_of(pass.damaged_packets(), "piece") + " of " + std::to_string(pass.presentable_packets()) +
         " could not be decoded" + in_parentheses(log.message()));
  }
  if (pass.damaged_frames() > 0) {
    warn(count_of(pass.damaged_frames(), "frame") + " of " + std::to_string(report.frames) +
         " are damaged and were used as far as they could be decoded" + in_parentheses(log.message()));
  }
  if (!missing_.empty()) warn(missing_);
  if (pass.unsupported_angle())
    warn("it asks to be turned by an angle other than 90, 180 or 270 degrees; it was not turned");
  if (converter.rescaled()) warn("its frames change their size; all were scaled to that of the first");
  return report;
}

}  // namespace tpn
