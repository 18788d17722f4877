// JPEG images by libjpeg-turbo, with the settings of OpenCV's imread: the accurate integer transform and
// interpolated chroma, so that the pixels are the same, bit for bit.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "engine/video/orientation.h"
#include "kernels/error.h"
#include "kernels/preprocess/image.h"

namespace tpn {

struct JpegHeader {
  ImageSize size;           ///< as stored, before turning
  Orientation orientation;  ///< by its EXIF block
};

/// Decodes one image after the other. The bytes must stay until the calls about them are done. Nothing of
/// libjpeg's error handling, which jumps over frames, reaches outside.
class JpegDecoder {
 public:
  JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder();

  /// Begins with an image. The failure is libjpeg's sentence, without a full stop.
  Result<JpegHeader> open(std::span<const std::byte> bytes);

  /// After open(): whether decoding can begin, and what is already known to be missing at its end. A few
  /// microseconds: no pixel is decoded, so that damage inside is not seen.
  Result<std::string> check();

  /// After open(): writes the picture as RGB to `out`, which has the header's size. Gives what was wrong with
  /// the data where a picture came of it all the same, as far as there was data; empty when all was right.
  Result<std::string> decode(const MutableImageView& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tpn
