#include "engine/video/webp.h"

#include <cstdint>
#include <string_view>

#include <webp/decode.h>

#include "engine/video/byte_order.h"
#include "engine/video/exif.h"

namespace tpn {
namespace {

constexpr std::size_t chunk_header = 8;  // four letters and a size
constexpr std::size_t file_header = 12;  // a chunk header and "WEBP"

const std::uint8_t* data_of(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

Orientation find_orientation(std::span<const std::byte> bytes) {
  std::size_t at = file_header;
  while (at <= bytes.size() && bytes.size() - at >= chunk_header) {
    const std::size_t size = load<std::uint32_t>(bytes, at + 4, ByteOrder::little);
    const std::size_t begin = at + chunk_header;
    if (size > bytes.size() - begin) break;
    if (has_letters(bytes, at, "EXIF")) return exif_orientation(bytes.subspan(begin, size));
    at = begin + size + size % 2;
  }
  return {};
}

}  // namespace

bool is_webp(std::span<const std::byte> bytes) {
  return has_letters(bytes, 0, "RIFF") && has_letters(bytes, 8, "WEBP");
}

Result<WebpHeader> read_webp_header(std::span<const std::byte> bytes) {
  if (!is_webp(bytes)) return Failure{"it is no WebP image"};
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data_of(bytes), bytes.size(), &features) != VP8_STATUS_OK) {
    return Failure{"its header is damaged"};
  }
  if (features.has_animation != 0) return Failure{"it is an animation"};
  if (load<std::uint32_t>(bytes, 4, ByteOrder::little) > bytes.size() - chunk_header) {
    return Failure{"its end is missing"};
  }
  return WebpHeader{{features.width, features.height}, find_orientation(bytes)};
}

bool decode_webp(std::span<const std::byte> bytes, const MutableImageView& out) {
  const std::size_t room = static_cast<std::size_t>(out.stride) * static_cast<std::size_t>(out.size.height);
  return WebPDecodeRGBInto(data_of(bytes), bytes.size(), out.data, room, static_cast<int>(out.stride)) !=
         nullptr;
}

}  // namespace tpn
