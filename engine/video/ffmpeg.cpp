#include "engine/video/ffmpeg.h"

extern "C" {
#include <libavutil/error.h>
#include <libavutil/log.h>
}

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "kernels/error.h"

namespace tpn::ffmpeg {
namespace {

thread_local LogCapture* active_capture = nullptr;

[[noreturn]] void out_of_memory() {
  throw Error("Out of memory while a video was being read.");
}

}  // namespace

Frame make_frame() {
  Frame frame(av_frame_alloc());
  if (!frame) out_of_memory();
  return frame;
}

Packet make_packet() {
  Packet packet(av_packet_alloc());
  if (!packet) out_of_memory();
  return packet;
}

void Options::set(const char* name, const std::string& value) {
  if (av_dict_set(&entries_, name, value.c_str(), 0) < 0) out_of_memory();
}

std::string error_text(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

const std::int32_t* display_matrix(const AVStream& stream) {
  constexpr std::size_t bytes = 9 * sizeof(std::int32_t);
#if LIBAVCODEC_VERSION_INT < AV_VERSION_INT(60, 31, 0)  // FFmpeg 6.1
  std::size_t size = 0;
  const std::uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#else
  const AVCodecParameters& parameters = *stream.codecpar;
  const AVPacketSideData* found = av_packet_side_data_get(
      parameters.coded_side_data, parameters.nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  const std::uint8_t* data = found != nullptr ? found->data : nullptr;
  const std::size_t size = found != nullptr ? found->size : 0;
#endif
  return data != nullptr && size >= bytes ? reinterpret_cast<const std::int32_t*>(data) : nullptr;
}

LogCapture::LogCapture() : outer_(active_capture) {
  static std::once_flag installed;
  std::call_once(installed, [] { av_log_set_callback(receive); });
  active_capture = this;
}

LogCapture::~LogCapture() {
  active_capture = outer_;
}

void LogCapture::receive(void* /*source*/, int level, const char* format, va_list arguments) {
  if (active_capture == nullptr || level > AV_LOG_ERROR || !active_capture->message_.empty()) return;
  std::array<char, 256> text{};
  const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (length <= 0) return;
  std::string line = text.data();
  line.erase(line.find_last_not_of("\r\n. ") + 1);
  active_capture->message_ = std::move(line);
}

}  // namespace tpn::ffmpeg
