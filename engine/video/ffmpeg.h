// FFmpeg's objects with owners, its return codes as sentences, and its log kept off the terminal.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

#include <cstdint>
#include <memory>
#include <string>

namespace tpn::ffmpeg {

struct Close {
  void operator()(AVFormatContext* context) const noexcept { avformat_close_input(&context); }
  void operator()(AVCodecContext* context) const noexcept { avcodec_free_context(&context); }
  void operator()(AVFrame* frame) const noexcept { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const noexcept { av_packet_free(&packet); }
  void operator()(SwsContext* context) const noexcept { sws_freeContext(context); }
};

using FormatContext = std::unique_ptr<AVFormatContext, Close>;
using CodecContext = std::unique_ptr<AVCodecContext, Close>;
using Frame = std::unique_ptr<AVFrame, Close>;
using Packet = std::unique_ptr<AVPacket, Close>;
using Scaler = std::unique_ptr<SwsContext, Close>;

/// Throw Error when memory is short.
Frame make_frame();
Packet make_packet();

/// Options handed to FFmpeg, which takes out those it knows.
class Options {
 public:
  Options() = default;
  ~Options() { av_dict_free(&entries_); }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  /// Throws Error when memory is short.
  void set(const char* name, const std::string& value);
  AVDictionary** address() { return &entries_; }

 private:
  AVDictionary* entries_ = nullptr;
};

/// What a negative return code means, in FFmpeg's words.
std::string error_text(int code);

/// How the container says that a stream's pictures are turned for display (nine numbers); null where it does
/// not. The stream owns it.
const std::int32_t* display_matrix(const AVStream& stream);

/// While it lives, the first error that FFmpeg logs on this thread is kept here instead of being printed. The
/// first capture of a process replaces FFmpeg's log callback for good: messages outside captures, and those
/// of FFmpeg's own threads, go nowhere.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// Without its line end or full stop; empty when there was none.
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  static void receive(void* source, int level, const char* format, va_list arguments);

  std::string message_;
  LogCapture* outer_;
};

}  // namespace tpn::ffmpeg
