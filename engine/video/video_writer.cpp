#include "engine/video/video_writer.h"

#include <array>
#include <string>

#include "engine/video/ffmpeg.h"
#include "kernels/error.h"

namespace tpn {
namespace {

struct FreeOutput {
  void operator()(AVFormatContext* context) const noexcept {
    if (context->pb != nullptr) avio_closep(&context->pb);
    avformat_free_context(context);
  }
};

}  // namespace

struct VideoWriter::State {
  std::string name;
  VideoWriterOptions options;
  std::unique_ptr<AVFormatContext, FreeOutput> file;
  ffmpeg::CodecContext encoder;
  ffmpeg::Scaler scaler;
  ffmpeg::Frame frame = ffmpeg::make_frame();
  ffmpeg::Packet packet = ffmpeg::make_packet();
  AVStream* stream = nullptr;
  std::int64_t frames = 0;

  /// A return code of FFmpeg's, which throws where it is an error.
  int check(int code) const {
    if (code < 0) throw Error("The video " + name + " cannot be written: " + ffmpeg::error_text(code) + ".");
    return code;
  }

  /// frame: null for the end of the video.
  void encode(const AVFrame* frame_or_end) {
    check(avcodec_send_frame(encoder.get(), frame_or_end));
    for (;;) {
      const int code = avcodec_receive_packet(encoder.get(), packet.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code);
      packet->duration = 1;  // else the last frame lasts no time, and players leave it out
      av_packet_rescale_ts(packet.get(), encoder->time_base, stream->time_base);
      packet->stream_index = stream->index;
      check(av_interleaved_write_frame(file.get(), packet.get()));
    }
  }
};

VideoWriter::VideoWriter(const std::filesystem::path& path, const VideoWriterOptions& options)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = path.string();
  s.options = options;
  const ffmpeg::LogCapture quiet;
  AVFormatContext* file = nullptr;
  s.check(avformat_alloc_output_context2(&file, nullptr, "mp4", nullptr));
  s.file.reset(file);
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
  if (codec == nullptr) throw Error("This FFmpeg cannot encode MPEG-4.");
  s.encoder.reset(avcodec_alloc_context3(codec));
  s.stream = avformat_new_stream(file, codec);
  if (!s.encoder || s.stream == nullptr) throw Error("There is not enough memory to encode " + s.name + ".");
  AVCodecContext& encoder = *s.encoder;
  encoder.width = options.size.width;
  encoder.height = options.size.height;
  encoder.pix_fmt = AV_PIX_FMT_YUV420P;
  encoder.time_base = {1, options.frame_rate};
  encoder.framerate = {options.frame_rate, 1};
  encoder.gop_size = 12;
  encoder.flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  encoder.global_quality = options.quality * FF_QP2LAMBDA;
  encoder.thread_count = 1;
  if ((file->oformat->flags & AVFMT_GLOBALHEADER) != 0) encoder.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  s.check(avcodec_open2(&encoder, codec, nullptr));
  s.check(avcodec_parameters_from_context(s.stream->codecpar, &encoder));
  s.stream->time_base = encoder.time_base;
  file->flags |= AVFMT_FLAG_BITEXACT;
  s.scaler.reset(sws_getContext(encoder.width, encoder.height, AV_PIX_FMT_RGB24, encoder.width,
                                encoder.height, encoder.pix_fmt,
                                SWS_BICUBIC | SWS_BITEXACT | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
  if (!s.scaler) throw Error("There is not enough memory to encode " + s.name + ".");
  s.frame->format = encoder.pix_fmt;
  s.frame->width = encoder.width;
  s.frame->height = encoder.height;
  s.check(av_frame_get_buffer(s.frame.get(), 0));
  s.check(avio_open(&file->pb, s.name.c_str(), AVIO_FLAG_WRITE));
  s.check(avformat_write_header(file, nullptr));
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::add(const ImageView& frame) {
  State& s = *state_;
  if (frame.size != s.options.size) throw Error("The video " + s.name + " has frames of another size.");
  const ffmpeg::LogCapture quiet;
  s.check(av_frame_make_writable(s.frame.get()));
  const std::array<const std::uint8_t*, 1> rows{frame.data};
  const std::array<int, 1> strides{static_cast<int>(frame.stride)};
  s.check(sws_scale(s.scaler.get(), rows.data(), strides.data(), 0, frame.size.height, s.frame->data,
                    s.frame->linesize));
  s.frame->pts = s.frames++;
  s.frame->quality = s.encoder->global_quality;
  s.encode(s.frame.get());
}

void VideoWriter::finish() {
  State& s = *state_;
  const ffmpeg::LogCapture quiet;
  s.encode(nullptr);
  s.check(av_write_trailer(s.file.get()));
  s.check(avio_closep(&s.file->pb));
}

}  // namespace tpn
