#include "engine/video/png_bmp.h"

extern "C" {
#include <libavutil/crc.h>
}

#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/video/byte_order.h"
#include "engine/video/exif.h"

namespace tpn {
namespace {

constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n";

/// The format with eight bits of each of a format's channels of sixteen; none for other formats.
AVPixelFormat reduced_format(int format) {
  switch (format) {
    case AV_PIX_FMT_RGB48BE:
      return AV_PIX_FMT_RGB24;
    case AV_PIX_FMT_RGBA64BE:
      return AV_PIX_FMT_RGBA;
    case AV_PIX_FMT_GRAY16BE:
      return AV_PIX_FMT_GRAY8;
    case AV_PIX_FMT_YA16BE:
      return AV_PIX_FMT_YA8;
    default:
      return AV_PIX_FMT_NONE;
  }
}

int channels_of(AVPixelFormat reduced) {
  switch (reduced) {
    case AV_PIX_FMT_RGB24:
      return 3;
    case AV_PIX_FMT_RGBA:
      return 4;
    case AV_PIX_FMT_YA8:
      return 2;
    default:
      return 1;
  }
}

}  // namespace

bool is_png(std::span<const std::byte> bytes) {
  return has_letters(bytes, 0, png_signature);
}

bool is_bmp(std::span<const std::byte> bytes) {
  return has_letters(bytes, 0, "BM");
}

Result<PngHeader> read_png_header(std::span<const std::byte> bytes) {
  constexpr std::size_t around_data = 12;  // size and letters before it, checksum behind it
  if (!is_png(bytes)) return Failure{"it is no PNG image"};
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE_LE);
  PngHeader header;
  std::size_t at = png_signature.size();
  for (bool first = true;; first = false) {
    if (bytes.size() - at < around_data) return Failure{"its end is missing"};
    const std::size_t size = load<std::uint32_t>(bytes, at, ByteOrder::big);
    if (size > bytes.size() - at - around_data) return Failure{"its end is missing"};
    const std::span<const std::byte> checked = bytes.subspan(at + 4, size + 4);
    const std::span<const std::byte> data = checked.subspan(4);
    const std::uint32_t sum = ~av_crc(table, ~std::uint32_t{0},
                                      reinterpret_cast<const std::uint8_t*>(checked.data()), checked.size());
    if (sum != load<std::uint32_t>(bytes, at + 8 + size, ByteOrder::big)) {
      return Failure{"a checksum in it is wrong"};
    }
    if (first) {
      const bool is_header = has_letters(checked, 0, "IHDR") && size >= 8;
      const auto width = is_header ? load<std::uint32_t>(data, 0, ByteOrder::big) : 0;
      const auto height = is_header ? load<std::uint32_t>(data, 4, ByteOrder::big) : 0;
      constexpr std::uint32_t most = 0x7fffffff;  // PNG's own limit
      if (width == 0 || height == 0 || width > most || height > most) return Failure{"its header is damaged"};
      header.size = {static_cast<int>(width), static_cast<int>(height)};
    }
    if (has_letters(checked, 0, "eXIf")) header.orientation = exif_orientation(data);
    if (has_letters(checked, 0, "IEND")) return header;
    at += around_data + size;
  }
}

Result<ImageSize> read_bmp_header(std::span<const std::byte> bytes) {
  constexpr std::size_t core_header = 12;  // of OS/2; all others begin like that of Windows
  constexpr std::size_t least_bytes = 34;
  constexpr std::int64_t longest_side = 1 << 24;
  if (!is_bmp(bytes)) return Failure{"it is no BMP image"};
  if (bytes.size() < least_bytes) return Failure{"its end is missing"};
  const auto short_at = [&](std::size_t at) { return load<std::uint16_t>(bytes, at, ByteOrder::little); };
  const auto long_at = [&](std::size_t at) { return load<std::uint32_t>(bytes, at, ByteOrder::little); };
  const bool is_core = long_at(14) == core_header;
  const std::int64_t width = is_core ? short_at(18) : static_cast<std::int32_t>(long_at(18));
  const std::int64_t signed_height = is_core ? short_at(20) : static_cast<std::int32_t>(long_at(22));
  const std::int64_t height = std::abs(signed_height);  // negative where the first row is the upper one
  if (width <= 0 || height == 0 || width > longest_side || height > longest_side) {
    return Failure{"its header is damaged"};
  }
  const std::uint32_t compression = is_core ? 0 : long_at(30);
  const bool is_packed = compression == 1 || compression == 2;  // run lengths
  const std::int64_t row_bytes = (width * short_at(is_core ? 24 : 28) + 31) / 32 * 4;
  if (!is_packed && long_at(10) + row_bytes * height > static_cast<std::int64_t>(bytes.size())) {
    return Failure{"its end is missing"};
  }
  return ImageSize{static_cast<int>(width), static_cast<int>(height)};
}

ffmpeg::CodecContext PictureDecoder::open() const {
  const AVCodec* decoder = avcodec_find_decoder(codec_);
  if (decoder == nullptr) {
    throw Error(std::string("FFmpeg has no decoder for ") + avcodec_get_name(codec_) + " images.");
  }
  ffmpeg::CodecContext context(avcodec_alloc_context3(decoder));
  if (!context) throw Error("Out of memory while an image was being opened.");
  context->thread_count = 1;  // so that the picture comes out as soon as it is in
  context->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
  const int code = avcodec_open2(context.get(), decoder, nullptr);
  if (code < 0) throw Error("An image decoder cannot be started (" + ffmpeg::error_text(code) + ").");
  return context;
}

Result<const AVFrame*> PictureDecoder::decode(std::span<const std::byte> bytes) {
  constexpr std::size_t most_bytes = std::size_t{1} << 30;  // FFmpeg counts them in int
  if (bytes.size() > most_bytes) return Failure{"it is too large"};
  const ffmpeg::Packet packet = ffmpeg::make_packet();
  packet->data = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
  packet->size = static_cast<int>(bytes.size());
  const ffmpeg::LogCapture log;
  // A new one for each: to one that goes on, a PNG image of the same size is a change of the last.
  const ffmpeg::CodecContext context = open();
  int code = avcodec_send_packet(context.get(), packet.get());
  if (code >= 0) code = avcodec_receive_frame(context.get(), frame_.get());
  if (code < 0) return Failure{log.message().empty() ? ffmpeg::error_text(code) : log.message()};
  return upper_bytes();
}

const AVFrame* PictureDecoder::upper_bytes() {
  const AVPixelFormat format = reduced_format(frame_->format);
  if (format == AV_PIX_FMT_NONE) return frame_.get();
  av_frame_unref(reduced_.get());
  reduced_->format = format;
  reduced_->width = frame_->width;
  reduced_->height = frame_->height;
  const int code = av_frame_get_buffer(reduced_.get(), 0);
  if (code < 0) throw Error("Out of memory while an image was being decoded.");
  const std::ptrdiff_t values = std::ptrdiff_t{frame_->width} * channels_of(format);
  for (int y = 0; y < frame_->height; ++y) {
    const std::uint8_t* from = frame_->data[0] + std::ptrdiff_t{y} * frame_->linesize[0];
    std::uint8_t* to = reduced_->data[0] + std::ptrdiff_t{y} * reduced_->linesize[0];
    for (std::ptrdiff_t i = 0; i < values; ++i) to[i] = from[2 * i];
  }
  return reduced_.get();
}

}  // namespace tpn
