#include "engine/video/frame_pass.h"

extern "C" {
#include <libavutil/display.h>
}

#include <algorithm>
#include <utility>

#include "kernels/error.h"

namespace tpn {
namespace {

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

FramePass::FramePass(const std::string& path, const DecodeOptions& options)
    : path_(path), options_(options), format_(open_container(path, options)), check_(*format_) {
  look_for_streams();
  choose_stream();
  open_decoder(*stream().codecpar);
}

FramePass::FramePass(const std::string& path, const DecodeOptions& options, const StreamChoice& choice)
    : path_(path),
      options_(options),
      format_(open_container(path, options)),
      stream_index_(choice.index),
      check_(*format_) {
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

void FramePass::look_for_streams() {
  const int code = avformat_find_stream_info(format_.get(), nullptr);
  if (code < 0) fail("its streams cannot be read (" + ffmpeg::error_text(code) + ")");
}

void FramePass::choose_stream() {
  // As the ffmpeg command: what the file's author marked for showing by default, then the largest.
  const auto rank = [](const AVStream& stream) {
    const bool is_default = (stream.disposition & AV_DISPOSITION_DEFAULT) != 0;
    return std::pair(is_default, std::int64_t{stream.codecpar->width} * stream.codecpar->height);
  };
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const AVStream& other = *format_->streams[i];
    if (other.codecpar->codec_type != AVMEDIA_TYPE_VIDEO || is_picture_of_audio(other)) continue;
    if (stream_index_ < 0 || rank(other) > rank(stream())) stream_index_ = static_cast<int>(i);
  }
  if (stream_index_ < 0) fail("it holds no video stream");
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
  const std::int32_t* matrix = ffmpeg::display_matrix(stream());
  if (matrix != nullptr) stream_display_ = parse_display_matrix(matrix);
}

bool FramePass::read_packet() {
  for (;;) {
    av_packet_unref(packet_.get());
    const int code = av_read_frame(format_.get(), packet_.get());
    // Old demuxers end with -1, which would be the code for a missing permission.
    if (code == AVERROR_EOF || code == -1) return false;
    if (code < 0) {
      read_error_ = ffmpeg::error_text(code);
      return false;
    }
    const bool is_picture = packet_->stream_index == stream_index_;
    if (checking_ || is_picture) check_.note(*format_, *packet_, is_picture);
    // An empty packet would tell the decoder that the video ends; writers of AVI put them where no new frame
    // is due.
    if (!is_picture || packet_->size == 0) continue;
    if (packets_++ == 0) starts_midway_ = (packet_->flags & AV_PKT_FLAG_KEY) == 0;
    count_packet();
    return true;
  }
}

void FramePass::count_packet() {
  if (!is_presentable(*packet_, codec_->codec_id)) return;
  ++presentable_packets_;
  // Two fields may come in two packets.
  const bool may_be_fields = stream().codecpar->field_order > AV_FIELD_PROGRESSIVE;
  if (presentable_packets_ / (may_be_fields ? 2 : 1) > options_.max_frames) refuse_length();
}

void FramePass::refuse_length() const {
  fail("it has more frames than the limit of " + std::to_string(options_.max_frames));
}

void FramePass::stop_refining() {
  codec_->skip_loop_filter = AVDISCARD_ALL;
  codec_->skip_idct = AVDISCARD_ALL;
}

void FramePass::skip_to_end() {
  checking_ = check_.needs_all_streams();
  if (checking_) {
    for (unsigned i = 0; i < format_->nb_streams; ++i) format_->streams[i]->discard = AVDISCARD_DEFAULT;
  }
  while (read_packet()) {
  }
}

PacketMark FramePass::mark() const {
  return {packet_->pts, packet_->dts, (packet_->flags & AV_PKT_FLAG_KEY) != 0,
          is_presentable(*packet_, codec_->codec_id)};
}

std::optional<PacketMark> FramePass::skip_packet() {
  return read_packet() ? std::optional(mark()) : std::nullopt;
}

std::optional<PacketMark> FramePass::seek(std::int64_t time) {
  if (av_seek_frame(format_.get(), stream_index_, time, AVSEEK_FLAG_BACKWARD) < 0) return std::nullopt;
  avcodec_flush_buffers(codec_.get());
  draining_ = false;
  has_packet_ = read_packet();
  return has_packet_ ? std::optional(mark()) : std::nullopt;
}

std::string FramePass::missing() const {
  if (!read_error_.empty()) return "reading ended early (" + read_error_ + ")";
  return check_.missing(*format_, stream_index_);
}

void FramePass::note_orientation() {
  const AVFrameSideData* data = av_frame_get_side_data(frame_.get(), AV_FRAME_DATA_DISPLAYMATRIX);
  display_ = data == nullptr ? stream_display_
                             : parse_display_matrix(reinterpret_cast<const std::int32_t*>(data->data));
}

const AVFrame* FramePass::next_frame() {
  for (;;) {
    const int code = avcodec_receive_frame(codec_.get(), frame_.get());
    if (code >= 0) {
      if (++frames_ > options_.max_frames) refuse_length();
      if (is_damaged()) ++damaged_frames_;
      note_orientation();
      return frame_.get();
    }
    if (code == AVERROR_EOF) return nullptr;
    if (code != AVERROR(EAGAIN)) {
      note_refusal(code);
    } else if (std::exchange(has_packet_, false) || read_packet()) {
      send_packet();
    } else {
      if (draining_) return nullptr;
      draining_ = true;
      avcodec_send_packet(codec_.get(), nullptr);
    }
  }
}

void FramePass::send_packet() {
  if (is_wanted_) codec_->skip_frame = is_wanted_(packet_->pts) ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
  const int sent = avcodec_send_packet(codec_.get(), packet_.get());
  if (sent < 0) note_refusal(sent);
}

void FramePass::note_refusal(int code) {
  if (code == AVERROR(ENOMEM)) fail("out of memory");
  ++damaged_packets_;
}

}  // namespace tpn
