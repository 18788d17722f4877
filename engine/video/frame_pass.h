// One pass through a video file: packets in, decoded frames out in presentation order.
#pragma once

#include <cstdint>
#include <string>

#include "engine/video/ffmpeg.h"
#include "engine/video/frame_converter.h"
#include "engine/video/video_source.h"

namespace tpn {

/// A copy of a stream's decoding parameters.
class CodecParameters {
 public:
  CodecParameters() = default;
  explicit CodecParameters(const AVCodecParameters* parameters);
  [[nodiscard]] const AVCodecParameters* get() const { return parameters_.get(); }

 private:
  struct Free {
    void operator()(AVCodecParameters* parameters) const noexcept { avcodec_parameters_free(&parameters); }
  };
  std::unique_ptr<AVCodecParameters, Free> parameters_;
};

/// Which stream of a file to decode, found out by looking into its first packets. Knowing it spares later
/// passes that look.
struct StreamChoice {
  int index = -1;
  CodecParameters parameters;
};

/// Opened at the start of the file. Errors name the file.
class FramePass {
 public:
  /// Finds the video stream. Throws Error when the file cannot be opened, holds no video, or exceeds a limit.
  FramePass(const std::string& path, const DecodeOptions& options);
  /// Takes the stream that an earlier pass found.
  FramePass(const std::string& path, const DecodeOptions& options, const StreamChoice& choice);

  [[nodiscard]] StreamChoice choice() const;
  [[nodiscard]] const AVStream& stream() const { return *format_->streams[stream_index_]; }
  [[nodiscard]] const AVFormatContext& format() const { return *format_; }
  [[nodiscard]] const char* codec_name() const { return codec_->codec->name; }

  /// The next frame in presentation order, valid until the next call; nullptr after the last. Data that the
  /// decoder refuses is skipped and counted.
  const AVFrame* next_frame();

  /// How the frame that next_frame() gave has to be turned.
  [[nodiscard]] const Orientation& orientation() const { return display_.orientation; }
  [[nodiscard]] bool unsupported_angle() const { return display_.unsupported_angle; }

  /// Reads on to the end of the file without decoding.
  void skip_to_end();

  [[nodiscard]] std::int64_t presentable_packets() const { return presentable_packets_; }  ///< read so far
  [[nodiscard]] std::int64_t damaged_packets() const { return damaged_packets_; }
  [[nodiscard]] std::int64_t damaged_frames() const {
    return damaged_frames_;
  }  ///< given out with visible errors

  /// After skip_to_end(): a clause about what the container announces and the file lacks; empty when it is
  /// whole.
  [[nodiscard]] std::string missing() const;

 private:
  void open_file();
  void look_for_streams();
  void choose_stream();
  void open_decoder(const AVCodecParameters& parameters);
  bool read_packet();
  void count_packet();
  void note_orientation();
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  DecodeOptions options_;
  ffmpeg::FormatContext format_;
  ffmpeg::CodecContext codec_;
  ffmpeg::Packet packet_ = ffmpeg::make_packet();
  ffmpeg::Frame frame_ = ffmpeg::make_frame();
  int stream_index_ = -1;
  DisplayMatrix display_;
  bool draining_ = false;
  std::int64_t packets_ = 0;  // whatever they hold
  std::int64_t presentable_packets_ = 0;
  std::int64_t damaged_packets_ = 0;
  std::int64_t damaged_frames_ = 0;
  std::int64_t end_time_ = 0;  // of the last packet shown, in the stream's time base
  std::string read_error_;
};

}  // namespace tpn
