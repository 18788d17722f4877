#include "engine/video/video_file.h"

#include <utility>

#include "engine/video/quantity.h"
#include "kernels/error.h"
#include "kernels/stopwatch.h"

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
  info_.seconds = stated_seconds(pass.format(), pass.stream());
  check_duration();
  stream_ = pass.choice();
  pass.skip_to_end();
  info_.frames = pass.presentable_packets();
  missing_ = pass.missing();
  if (info_.seconds == 0 && info_.frames_per_second > 0) {
    info_.seconds = static_cast<double>(info_.frames) / info_.frames_per_second;
    check_duration();
  }
}

void VideoFile::check_duration() const {
  if (info_.seconds <= options_.max_seconds) return;
  throw Error(path_ + ": it lasts " + seconds_text(info_.seconds) + ", more than the limit of " +
              seconds_text(options_.max_seconds) + ".");
}

ImageView VideoFile::convert(FrameConverter& converter, const AVFrame& frame,
                             const Orientation& orientation) const {
  try {
    return converter.convert(frame, orientation);
  } catch (const Error& error) {
    throw Error(path_ + ": " + error.what());
  }
}

DecodeReport VideoFile::read(std::span<const std::int64_t> indices, const Receiver& receive,
                             const std::stop_token& stop) {
  const ffmpeg::LogCapture log;
  const Stopwatch whole;
  DecodeReport report;
  double outside_ms = 0;  // conversion and the receiver
  FramePass pass(path_, options_, stream_);
  FrameConverter converter(info_.size, options_.accurate_color);
  std::size_t position = 0;
  while (const AVFrame* frame = pass.next_frame()) {
    if (stop.stop_requested()) break;
    const std::int64_t index = pass.frames() - 1;
    if (position == indices.size() || index != indices[position]) continue;
    const Stopwatch outside;
    const ImageView picture = convert(converter, *frame, pass.orientation());
    report.convert_ms += outside.ms();
    receive(position++, picture);
    outside_ms += outside.ms();
    if (position == indices.size()) pass.stop_refining();
  }
  report.frames = pass.frames();
  report.decode_ms = whole.ms() - outside_ms;
  report.damaged_packets = pass.damaged_packets();

  const auto warn = [&](const std::string& text) { report.warnings.push_back(path_ + ": " + text + "."); };
  const std::string midway = "it begins in the middle of a group of pictures, and ";
  const std::string taken = "; clips are taken from the " + count_of(report.frames, "frame") + " left";
  if (pass.damaged_packets() > 0) {
    warn((pass.starts_midway() ? midway : "") + std::to_string(pass.damaged_packets()) + " of the " +
         count_of(pass.presentable_packets(), "piece") + " of its data could not be decoded" +
         in_parentheses(log.message()) + taken);
  } else if (pass.starts_midway() && report.frames < pass.presentable_packets()) {
    warn(midway + "what needs earlier ones cannot be shown" + taken);
  }
  if (pass.damaged_frames() > 0) {
    warn(count_of(pass.damaged_frames(), "frame") + " of " + std::to_string(report.frames) +
         (pass.damaged_frames() == 1 ? " is damaged and was used as far as it"
                                     : " are damaged and were used as far as they") +
         " could be decoded" + in_parentheses(log.message()));
  }
  if (!missing_.empty()) warn(missing_);
  if (pass.unsupported_angle())
    warn("it asks to be turned by an angle other than 90, 180 or 270 degrees; it was not turned");
  if (converter.rescaled()) warn("its frames change their size; all were scaled to that of the first");
  return report;
}

}  // namespace tpn
