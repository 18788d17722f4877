#include "engine/video/video_file.h"

#include <utility>

#include "engine/video/quantity.h"
#include "engine/video/video_description.h"
#include "kernels/error.h"
#include "kernels/stopwatch.h"

namespace tpn {

VideoFile::VideoFile(std::string path, const DecodeOptions& options)
    : path_(std::move(path)), options_(options) {
  const ffmpeg::LogCapture log;
  FramePass pass(path_, options_);
  info_ = describe_video(pass, path_, options_, log);
  stream_ = pass.choice();
  pass.skip_to_end();
  set_frames(pass.presentable_packets(), path_, options_, info_);
  missing_ = pass.missing();
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
    const ImageView picture = converter.convert(*frame, pass.orientation(), path_);
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
