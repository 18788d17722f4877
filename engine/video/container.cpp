#include "engine/video/container.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

#include "engine/video/quantity.h"
#include "kernels/error.h"

namespace tpn {
namespace {

bool is_url(const std::string& path) {
  return path.find("://") != std::string::npos;
}

/// Opens the file that the context is for and nothing else. With the protocol whitelist that goes with it, a
/// playlist, whatever its name, cannot make this program read other files: demuxers open those through this
/// function, or in a context of their own that inherits the whitelist. Opening a file directly pays no regard
/// to that list.
int open_only_itself(AVFormatContext* context, AVIOContext** io, const char* url, int flags,
                     AVDictionary** options) {
  if (context->url == nullptr || std::strcmp(url, context->url) != 0) return AVERROR(EPERM);
  return avio_open2(io, url, flags, &context->interrupt_callback, options);
}

bool is_playlist(const AVInputFormat& format) {
  static constexpr std::array<std::string_view, 6> names{"hls", "concat", "dash", "sdp", "imf", "rtsp"};
  return std::find(names.begin(), names.end(), format.name) != names.end();
}

bool is_avi(const AVFormatContext& format) {
  return std::string_view(format.iformat->name) == "avi";
}

/// The duration that the header states; 0 when it does not.
double announced_seconds(const AVFormatContext& format, const AVStream& pictures) {
  // FFmpeg corrects that of an AVI file by the file's size.
  if (is_avi(format)) return static_cast<double>(pictures.nb_frames) * av_q2d(pictures.time_base);
  if (format.duration_estimation_method != AVFMT_DURATION_FROM_STREAM) return 0;
  return static_cast<double>(format.duration) / AV_TIME_BASE;
}

/// What a file that could not be opened looks like; nullptr when it looks like nothing known.
const AVInputFormat* probe(const std::string& path) {
  std::vector<char> start(4096 + AVPROBE_PADDING_SIZE);
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), 4096);
  const AVProbeData data{path.c_str(), reinterpret_cast<unsigned char*>(start.data()),
                         static_cast<int>(file.gcount()), nullptr};
  return av_probe_input_format(&data, 1);
}

[[noreturn]] void refuse_playlist(const std::string& path) {
  throw Error(path +
              ": it is a playlist or a description that refers to other files or to the network, which are "
              "only opened where URLs are allowed (--allow-urls).");
}

}  // namespace

ffmpeg::FormatContext open_container(const std::string& path, const DecodeOptions& options) {
  std::string url = path;
  ffmpeg::Options settings;
  settings.set("pattern_type", "none");  // the % in an image's name is no pattern
  if (is_url(path) && !options.allow_urls) {
    throw Error(path +
                ": it is a URL, and only local files are opened unless URLs are allowed (--allow-urls).");
  }
  AVFormatContext* context = avformat_alloc_context();
  if (context == nullptr) throw Error(path + ": out of memory.");
  if (!is_url(path)) url = "file:" + path;
  if (options.allow_urls) {
    // RTSP has a name of its own for it, which elsewhere stands for something else.
    const bool is_rtsp = path.substr(0, 4) == "rtsp";
    settings.set(is_rtsp ? "timeout" : "rw_timeout",
                 std::to_string(std::llround(options.max_silence_seconds * 1e6)));
  } else {
    context->io_open = open_only_itself;
    settings.set("protocol_whitelist", "none");
  }
  const int code =
      avformat_open_input(&context, url.c_str(), nullptr, settings.address());  // frees it on failure
  if (code < 0) {
    const AVInputFormat* looks_like = options.allow_urls ? nullptr : probe(path);
    if (looks_like != nullptr && is_playlist(*looks_like)) refuse_playlist(path);
    const std::string reason = code == AVERROR(ETIMEDOUT)
                                   ? "the server was silent for " + seconds_text(options.max_silence_seconds)
                                   : ffmpeg::error_text(code);
    throw Error(path + ": it cannot be opened as a video (" + reason + ").");
  }
  ffmpeg::FormatContext format(context);
  if (std::string_view(format->iformat->name) == "tty") throw Error(path + ": it is a text, not a video.");
  if (!options.allow_urls && is_playlist(*format->iformat)) refuse_playlist(path);
  return format;
}

ContainerCheck::ContainerCheck(const AVFormatContext& format)
    : has_index_(std::string_view(format.iformat->name).substr(0, 4) == "mov,") {
  // The index of an AVI file stands at its end, where a file that is cut off has none.
  if (!is_avi(format)) return;
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    if (avformat_index_get_entries_count(format.streams[i]) > 0) has_index_ = true;
  }
}

void ContainerCheck::note(const AVFormatContext& format, const AVPacket& packet, bool is_picture) {
  if (is_picture && packet.size > 0) ++packets_;
  const std::int64_t time = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
  if (time == AV_NOPTS_VALUE) return;
  const AVRational time_base = format.streams[packet.stream_index]->time_base;
  end_seconds_ = std::max(
      end_seconds_, (static_cast<double>(time) + static_cast<double>(packet.duration)) * av_q2d(time_base));
}

std::string ContainerCheck::missing(AVFormatContext& format, int pictures) const {
  AVStream* stream = format.streams[pictures];
  if (has_index_) {
    // Entries, and not the numbers in headers: what an edit list cuts off has no entry, and writers of AVI
    // count frames that they left out or that are only delayed.
    std::int64_t announced = 0;
    const int entries = avformat_index_get_entries_count(stream);
    for (int i = 0; i < entries; ++i) {
      if (avformat_index_get_entry(stream, i)->size > 0) ++announced;
    }
    if (announced <= packets_) return {};
    return "the container announces " + count_of(announced, "frame") + ", but only " +
           std::to_string(packets_) + (packets_ == 1 ? " is" : " are") + " there";
  }
  const double announced = announced_seconds(format, *stream);
  if (end_seconds_ <= 0 || end_seconds_ >= announced * 0.95 - 0.5) return {};
  return "the container announces " + seconds_text(announced) + ", but what it holds ends after " +
         seconds_text(end_seconds_);
}

}  // namespace tpn
