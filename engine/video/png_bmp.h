// PNG and BMP images by FFmpeg's decoders, as strict as libpng about what is damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/video/ffmpeg.h"
#include "engine/video/orientation.h"
#include "kernels/error.h"
#include "kernels/preprocess/image.h"

namespace tpn {

bool is_png(std::span<const std::byte> bytes);
bool is_bmp(std::span<const std::byte> bytes);

struct PngHeader {
  ImageSize size;           ///< as stored, before turning
  Orientation orientation;  ///< by its EXIF block
};

/// Walks through all chunks, up to the one that ends the image, and verifies their checksums. The failure is
/// a clause.
Result<PngHeader> read_png_header(std::span<const std::byte> bytes);

/// The size of a BMP image, of which all rows must be there. The failure is a clause.
Result<ImageSize> read_bmp_header(std::span<const std::byte> bytes);

/// Decodes single pictures of a codec.
class PictureDecoder {
 public:
  explicit PictureDecoder(AVCodecID codec) : codec_(codec) {}

  /// Decodes the bytes, of which the header has been found good and behind which there must be
  /// AV_INPUT_BUFFER_PADDING_SIZE more. The picture has eight bits a channel: of sixteen, the upper ones are
  /// taken, as libpng and with it OpenCV does. Valid until the next call. The failure is FFmpeg's reason.
  /// Throws Error when FFmpeg lacks the decoder or memory is short.
  Result<const AVFrame*> decode(std::span<const std::byte> bytes);

 private:
  [[nodiscard]] ffmpeg::CodecContext open() const;
  const AVFrame* upper_bytes();

  AVCodecID codec_;
  ffmpeg::Frame frame_ = ffmpeg::make_frame();
  ffmpeg::Frame reduced_ = ffmpeg::make_frame();
};

}  // namespace tpn
