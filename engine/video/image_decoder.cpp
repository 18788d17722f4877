#include "engine/video/image_decoder.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "engine/video/frame_converter.h"
#include "engine/video/webp.h"

namespace tpn {
ImageDecoder::ImageDecoder(std::int64_t max_pixels)
    : max_pixels_(max_pixels), png_(AV_CODEC_ID_PNG), bmp_(AV_CODEC_ID_BMP) {}

ImageDecoder::Kind ImageDecoder::kind_of(std::span<const std::byte> bytes) {
  const auto is = [bytes](std::size_t at, unsigned value) {
    return std::to_integer<unsigned>(bytes[at]) == value;
  };
  if (bytes.size() >= 3 && is(0, 0xff) && is(1, 0xd8) && is(2, 0xff)) return Kind::jpeg;
  if (is_png(bytes)) return Kind::png;
  if (is_webp(bytes)) return Kind::webp;
  return is_bmp(bytes) ? Kind::bmp : Kind::none;
}

Result<std::span<const std::byte>> ImageDecoder::read(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Failure{std::generic_category().message(errno != 0 ? errno : EIO)};
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return Failure{error.message()};
  if (size == 0) return Failure{"the file is empty"};
  // No more than pictures of eight bytes a pixel that are not compressed, and what goes with them.
  const std::uintmax_t most = static_cast<std::uintmax_t>(max_pixels_) * 8 + (std::uintmax_t{16} << 20);
  if (size > most) return Failure{"the file is larger than any image within the limit of pixels"};
  const auto bytes = static_cast<std::size_t>(size);
  if (file_.bytes() < bytes + padding) file_ = HostBuffer(bytes + padding + bytes / 4);
  file.read(reinterpret_cast<char*>(file_.data()), static_cast<std::streamsize>(bytes));
  if (file.bad()) return Failure{"the file cannot be read"};
  const auto got = static_cast<std::size_t>(file.gcount());
  std::memset(file_.data() + got, 0, padding);
  return std::span<const std::byte>(file_.data(), got);
}

Result<ImageSize> ImageDecoder::within_limit(ImageSize size) const {
  if (std::int64_t{size.width} * size.height <= max_pixels_) return size;
  return Failure{"its " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                 " pixels exceed the limit of " + std::to_string(max_pixels_) + " pixels"};
}

MutableImageView ImageDecoder::make_room(ImageSize size) {
  const std::ptrdiff_t stride = padded_stride(size.width);
  const std::size_t bytes = static_cast<std::size_t>(stride) * static_cast<std::size_t>(size.height);
  if (pixels_.bytes() < bytes) pixels_ = HostBuffer(bytes);
  auto* const pixels = reinterpret_cast<std::uint8_t*>(pixels_.data());
  frame_->format = AV_PIX_FMT_RGB24;
  frame_->width = size.width;
  frame_->height = size.height;
  frame_->data[0] = pixels;
  frame_->linesize[0] = static_cast<int>(stride);
  return {pixels, size, stride};
}

Result<DecodedImage> ImageDecoder::decode_jpeg(std::span<const std::byte> bytes) {
  const Result<JpegHeader> header = jpeg_.open(bytes);
  if (!header) return header.failure();
  if (const auto size = within_limit(header->size); !size) return size.failure();
  const Result<std::string> damage = jpeg_.decode(make_room(header->size));
  if (!damage) return damage.failure();
  return DecodedImage{frame_.get(), header->orientation, *damage};
}

Result<DecodedImage> ImageDecoder::decode_webp_image(std::span<const std::byte> bytes) {
  const Result<WebpHeader> header = read_webp_header(bytes);
  if (!header) return header.failure();
  if (const auto size = within_limit(header->size); !size) return size.failure();
  if (!decode_webp(bytes, make_room(header->size))) return Failure{"its data is damaged"};
  return DecodedImage{frame_.get(), header->orientation, {}};
}

Result<DecodedImage> ImageDecoder::decode_picture(Kind kind, std::span<const std::byte> bytes) {
  DecodedImage image;
  if (kind == Kind::png) {
    const Result<PngHeader> header = read_png_header(bytes);
    if (!header) return header.failure();
    if (const auto size = within_limit(header->size); !size) return size.failure();
    image.orientation = header->orientation;
  } else {
    const Result<ImageSize> header = read_bmp_header(bytes);
    if (!header) return header.failure();
    if (const auto size = within_limit(*header); !size) return size.failure();
  }
  const Result<const AVFrame*> frame = (kind == Kind::png ? png_ : bmp_).decode(bytes);
  if (!frame) return frame.failure();
  image.frame = *frame;
  return image;
}

Result<DecodedImage> ImageDecoder::decode(std::span<const std::byte> bytes) {
  switch (const Kind kind = kind_of(bytes)) {
    case Kind::jpeg:
      return decode_jpeg(bytes);
    case Kind::webp:
      return decode_webp_image(bytes);
    case Kind::png:
    case Kind::bmp:
      return decode_picture(kind, bytes);
    case Kind::none:
      break;
  }
  return Failure{"it is no JPEG, PNG, BMP or WebP image"};
}

Result<DecodedImage> ImageDecoder::decode(const std::filesystem::path& path) {
  const auto bytes = read(path);
  if (!bytes) return bytes.failure();
  return decode(*bytes);
}

Result<std::string> ImageDecoder::check(std::span<const std::byte> bytes) {
  Result<ImageSize> size = ImageSize{};
  const auto take_size = [&](const auto& header) {
    if (header) return within_limit(header->size);
    return Result<ImageSize>(header.failure());
  };
  const Kind kind = kind_of(bytes);
  if (kind == Kind::jpeg) {
    size = take_size(jpeg_.open(bytes));
    if (size) return jpeg_.check();
  } else if (kind == Kind::png) {
    size = take_size(read_png_header(bytes));
  } else if (kind == Kind::webp) {
    size = take_size(read_webp_header(bytes));
  } else {
    const Result<DecodedImage> image = decode(bytes);  // of BMP as cheap as any check
    if (!image) return image.failure();
  }
  if (!size) return size.failure();
  return std::string();
}

Result<std::string> ImageDecoder::check(const std::filesystem::path& path) {
  const auto bytes = read(path);
  if (!bytes) return bytes.failure();
  return check(*bytes);
}

}  // namespace tpn
