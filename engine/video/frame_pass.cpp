#include "engine/video/frame_pass.h"

extern "C" {
#include <libavutil/display.h>
}

#include <algorithm>
#include <cstring>
#include <iomanip>
#include <sstream>
#include <string_view>
#include <utility>

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

bool is_picture_of_audio(const AVStream& stream) {
  return (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
}

/// Whether a packet holds a picture to be shown. VP8 has packets that only prepare later pictures; elsewhere
/// the demuxer joins such data with the picture that follows.
bool is_presentable(const AVPacket& packet, AVCodecID codec) {
  if ((packet.flags & AV_PKT_FLAG_DISCARD) != 0) return false;
  constexpr unsigned vp8_show_frame = 0x10;
  return codec != AV_CODEC_ID_VP8 || (packet.data[0] & vp8_show_frame) != 0;
}

}  // namespace

CodecParameters::CodecParameters(const AVCodecParameters* parameters)
    : parameters_(avcodec_parameters_alloc()) {
  if (!parameters_ || avcodec_parameters_copy(parameters_.get(), parameters) < 0) {
    throw Error("Out of memory while a video was being opened.");
  }
}

FramePass::FramePass(const std::string& path, const DecodeOptions& options) : path_(path), options_(options) {
  open_file();
  look_for_streams();
  choose_stream();
  open_decoder(*stream().codecpar);
}

FramePass::FramePass(const std::string& path, const DecodeOptions& options, const StreamChoice& choice)
    : path_(path), options_(options), stream_index_(choice.index) {
  open_file();
  const auto known = [&] {
    return static_cast<unsigned>(choice.index) < format_->nb_streams &&
           stream().codecpar->codec_id == choice.parameters.get()->codec_id;
  };
  if (!known()) look_for_streams();
  if (!known()) fail("its streams are not those of a moment ago");
  open_decoder(*choice.parameters.get());
}

StreamChoice FramePass::choice() const {
  return {stream_index_, CodecParameters(stream().codecpar)};
}

void FramePass::fail(const std::string& what) const {
  throw Error(path_ + ": " + what + ".");
}

void FramePass::open_file() {
  std::string url = path_;
  ffmpeg::Options options;
  options.set("pattern_type", "none");  // the % in an image's name is no pattern
  AVFormatContext* context = avformat_alloc_context();
  if (context == nullptr) fail("out of memory");
  if (is_url(path_)) {
    if (!options_.allow_urls) {
      avformat_free_context(context);
      fail("it is a URL, and only local files are allowed");
    }
  } else {
    url = "file:" + path_;
    if (!options_.allow_urls) {
      context->io_open = open_only_itself;
      options.set("protocol_whitelist", "none");
    }
  }
  const int code =
      avformat_open_input(&context, url.c_str(), nullptr, options.address());  // frees it on failure
  if (code < 0) fail("it cannot be opened as a video (" + ffmpeg::error_text(code) + ")");
  format_.reset(context);
  if (std::string_view(format_->iformat->name) == "tty") fail("it is a text, not a video");
}

void FramePass::look_for_streams() {
  const int code = avformat_find_stream_info(format_.get(), nullptr);
  if (code < 0) fail("its streams cannot be read (" + ffmpeg::error_text(code) + ")");
}

void FramePass::choose_stream() {
  stream_index_ = av_find_best_stream(format_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  for (unsigned i = 0; i < format_->nb_streams && stream_index_ >= 0 && is_picture_of_audio(stream()); ++i) {
    const AVStream& other = *format_->streams[i];
    if (other.codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !is_picture_of_audio(other)) {
      stream_index_ = static_cast<int>(i);
    }
  }
  if (stream_index_ < 0 || is_picture_of_audio(stream())) fail("it holds no video stream");
}

void FramePass::open_decoder(const AVCodecParameters& parameters) {
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    format_->streams[i]->discard = static_cast<int>(i) == stream_index_ ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  const std::string name = avcodec_get_name(parameters.codec_id);
  if (std::int64_t{parameters.width} * parameters.height > options_.max_pixels) {
    fail("its pictures of " + std::to_string(parameters.width) + "x" + std::to_string(parameters.height) +
         " pixels exceed the limit of " + std::to_string(options_.max_pixels) + " pixels");
  }
  const AVCodec* decoder = avcodec_find_decoder(parameters.codec_id);
  if (decoder == nullptr) fail("there is no decoder for its codec " + name);
  codec_.reset(avcodec_alloc_context3(decoder));
  if (!codec_) fail("out of memory");
  int code = avcodec_parameters_to_context(codec_.get(), &parameters);
  codec_->pkt_timebase = stream().time_base;
  codec_->max_pixels = options_.max_pixels;
  codec_->thread_count = options_.threads;
  if (code >= 0) code = avcodec_open2(codec_.get(), decoder, nullptr);
  if (code < 0)
    fail("the decoder for its codec " + name + " cannot be started (" + ffmpeg::error_text(code) + ")");
  if (const std::int32_t* matrix = ffmpeg::display_matrix(stream())) display_ = parse_display_matrix(matrix);
}

bool FramePass::read_packet() {
  for (;;) {
    av_packet_unref(packet_.get());
    const int code = av_read_frame(format_.get(), packet_.get());
    if (code == AVERROR_EOF) return false;
    if (code < 0) {
      read_error_ = ffmpeg::error_text(code);
      return false;
    }
    if (packet_->stream_index != stream_index_) continue;
    ++packets_;
    if (packet_->pts != AV_NOPTS_VALUE) end_time_ = std::max(end_time_, packet_->pts + packet_->duration);
    // An empty packet would tell the decoder that the video ends.
    if (packet_->size > 0) return true;
  }
}

void FramePass::count_packet() {
  if (!is_presentable(*packet_, codec_->codec_id)) return;
  if (++presentable_packets_ > options_.max_frames) {
    fail("it has more frames than the limit of " + std::to_string(options_.max_frames));
  }
}

void FramePass::skip_to_end() {
  while (read_packet()) count_packet();
}

std::string FramePass::missing() const {
  const AVStream& video = stream();
  if (!read_error_.empty()) return "reading ended early (" + read_error_ + ")";
  // What an edit list cuts off is not in mov's index, so that the index tells better than the header what to
  // expect.
  const bool is_mov = std::string_view(format_->iformat->name).starts_with("mov,");
  const std::int64_t announced = is_mov ? avformat_index_get_entries_count(&video) : video.nb_frames;
  const std::int64_t tolerance =
      is_mov ? 0 : 2 + announced / 20;  // some writers of AVI count the decoder's delay in
  if (announced > packets_ + tolerance) {
    return "the container announces " + std::to_string(announced) + " frames, but only " +
           std::to_string(packets_) + " are there";
  }
  // Containers that announce no frames may announce a duration.
  if (announced > 0 || format_->duration_estimation_method != AVFMT_DURATION_FROM_STREAM) return {};
  const double duration = static_cast<double>(format_->duration) / AV_TIME_BASE;
  const double end = static_cast<double>(end_time_) * av_q2d(video.time_base);
  if (end_time_ <= 0 || end >= duration * 0.95 - 0.5) return {};
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << "the container announces " << duration
       << " seconds, but its frames end at " << end;
  return text.str();
}

void FramePass::note_orientation() {
  const AVFrameSideData* data = av_frame_get_side_data(frame_.get(), AV_FRAME_DATA_DISPLAYMATRIX);
  if (data != nullptr) display_ = parse_display_matrix(reinterpret_cast<const std::int32_t*>(data->data));
}

const AVFrame* FramePass::next_frame() {
  for (;;) {
    const int code = avcodec_receive_frame(codec_.get(), frame_.get());
    if (code >= 0) {
      if ((frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0) ++damaged_frames_;
      note_orientation();
      return frame_.get();
    }
    if (code == AVERROR_EOF) return nullptr;
    if (code == AVERROR(ENOMEM)) fail("out of memory");
    if (code != AVERROR(EAGAIN)) {
      ++damaged_packets_;
    } else if (read_packet()) {
      count_packet();
      if (avcodec_send_packet(codec_.get(), packet_.get()) < 0) ++damaged_packets_;
    } else {
      if (draining_) return nullptr;
      draining_ = true;
      avcodec_send_packet(codec_.get(), nullptr);
    }
  }
}

}  // namespace tpn
