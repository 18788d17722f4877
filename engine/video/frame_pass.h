// One pass through a video file: packets in, decoded frames out in presentation order.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/video/container.h"
#include "engine/video/ffmpeg.h"
#include "engine/video/frame_converter.h"
#include "engine/video/frame_index.h"
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

  /// The next frame in presentation order, valid until the next call; nullptr after the last. Data that the
  /// decoder refuses is skipped and counted.
  const AVFrame* next_frame();

  /// How the frame that next_frame() gave has to be turned.
  [[nodiscard]] const Orientation& orientation() const { return display_.orientation; }
  [[nodiscard]] bool unsupported_angle() const { return display_.unsupported_angle; }

  /// For when only the number of the frames that follow matters: spares what makes their pixels better.
  void stop_refining();

  /// Reads on to the end of the file without decoding.
  void skip_to_end();
  /// Reads one packet of pictures without decoding it; nothing at the end of the file.
  std::optional<PacketMark> skip_packet();

  /// Goes on where reading a key frame of that time finds it, forgetting frames that are under way. Tells the
  /// packet that is decoded next; nothing where that is not possible.
  std::optional<PacketMark> seek(std::int64_t time);
  /// From now on, packets that no other frame needs are decoded only where their time of presentation is
  /// wanted.
  void decode_only(std::function<bool(std::int64_t pts)> is_wanted) { is_wanted_ = std::move(is_wanted); }

  /// Read so far: those that a frame is to be expected of. Fields and data of codecs that prepare later
  /// frames make them more than frames, what the decoder must leave out does too, and what it shows again
  /// makes them fewer.
  [[nodiscard]] std::int64_t presentable_packets() const { return presentable_packets_; }
  /// Read so far, of pictures.
  [[nodiscard]] std::int64_t packets() const { return packets_; }
  [[nodiscard]] std::int64_t damaged_packets() const { return damaged_packets_; }
  /// Whether the frame that next_frame() gave has visible errors.
  [[nodiscard]] bool is_damaged() const {
    return (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0;
  }
  /// Given out with visible errors.
  [[nodiscard]] std::int64_t damaged_frames() const { return damaged_frames_; }
  /// Given out so far.
  [[nodiscard]] std::int64_t frames() const { return frames_; }
  /// Whether the stream begins with a packet that cannot be decoded by itself.
  [[nodiscard]] bool starts_midway() const { return starts_midway_; }

  /// After skip_to_end(): a clause about what the container announces and the file lacks; empty when it is
  /// whole.
  [[nodiscard]] std::string missing() const;

 private:
  void look_for_streams();
  void choose_stream();
  void open_decoder(const AVCodecParameters& parameters);
  bool read_packet();
  void count_packet();
  [[nodiscard]] PacketMark mark() const;
  void send_packet();
  void note_orientation();
  void note_refusal(int code);
  [[noreturn]] void refuse_length() const;
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  DecodeOptions options_;
  ffmpeg::FormatContext format_;
  int stream_index_ = -1;
  ContainerCheck check_;
  ffmpeg::CodecContext codec_;
  ffmpeg::Packet packet_ = ffmpeg::make_packet();
  ffmpeg::Frame frame_ = ffmpeg::make_frame();
  DisplayMatrix stream_display_;
  DisplayMatrix display_;                            // of the last frame
  std::function<bool(std::int64_t pts)> is_wanted_;  // empty: all are
  bool has_packet_ = false;                          // that is not yet decoded
  bool draining_ = false;
  bool checking_ = false;  // not decoding, but looking at all streams
  bool starts_midway_ = false;
  std::int64_t packets_ = 0;  // of pictures, none of them empty
  std::int64_t presentable_packets_ = 0;
  std::int64_t damaged_packets_ = 0;
  std::int64_t damaged_frames_ = 0;
  std::int64_t frames_ = 0;
  std::string read_error_;
};

}  // namespace tpn
