// Image files to pictures, as OpenCV's imread decodes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "engine/video/ffmpeg.h"
#include "engine/video/jpeg.h"
#include "engine/video/orientation.h"
#include "engine/video/png_bmp.h"
#include "kernels/error.h"
#include "kernels/memory.h"

namespace tpn {

/// In memory of its decoder.
struct DecodedImage {
  const AVFrame* frame = nullptr;
  Orientation orientation;  ///< how it has to be turned, by its EXIF block
  std::string damage;       ///< why parts of it are missing; empty when it is whole
};

/// JPEG, PNG, BMP and WebP, told by their first bytes whatever the file is named. Pixels equal those of
/// OpenCV's imread in colour, and what that refuses fails here: a clause about the image says why. A JPEG
/// image that breaks off is decoded as far as it goes, its rest is grey.
class ImageDecoder {
 public:
  /// Images with more pixels are refused before memory is taken for them.
  explicit ImageDecoder(std::int64_t max_pixels);

  /// The picture, valid until the next call.
  Result<DecodedImage> decode(const std::filesystem::path& path);

  /// Whether decode() is going to succeed, and what is going to be missing, without decoding more than is
  /// cheap: of JPEG and WebP images the headers and the end are looked at, of PNG images the checksums.
  Result<std::string> check(const std::filesystem::path& path);

  /// The same for bytes in memory, behind which there must be `padding` more.
  static constexpr std::size_t padding = AV_INPUT_BUFFER_PADDING_SIZE;
  Result<DecodedImage> decode(std::span<const std::byte> bytes);
  Result<std::string> check(std::span<const std::byte> bytes);

 private:
  enum class Kind : std::uint8_t { jpeg, png, bmp, webp, none };
  static Kind kind_of(std::span<const std::byte> bytes);

  /// All of a file, padded.
  Result<std::span<const std::byte>> read(const std::filesystem::path& path);
  [[nodiscard]] Result<ImageSize> within_limit(ImageSize size) const;
  /// Room for a picture in RGB, which frame_ describes.
  MutableImageView make_room(ImageSize size);
  Result<DecodedImage> decode_jpeg(std::span<const std::byte> bytes);
  Result<DecodedImage> decode_webp_image(std::span<const std::byte> bytes);
  Result<DecodedImage> decode_picture(Kind kind, std::span<const std::byte> bytes);

  std::int64_t max_pixels_;
  HostBuffer file_;
  JpegDecoder jpeg_;
  PictureDecoder png_;
  PictureDecoder bmp_;
  HostBuffer pixels_;
  ffmpeg::Frame frame_ = ffmpeg::make_frame();  // refers to pixels_
};

}  // namespace tpn
