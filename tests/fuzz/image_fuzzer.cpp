// Any bytes as an image: refused, or decoded to a picture within the limit that the quick check does not
// refuse either.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/video/exif.h"
#include "engine/video/image_decoder.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {  // NOLINT(readability-identifier-naming)
  constexpr std::int64_t limit = 1 << 16;
  std::vector<std::byte> storage(size + tpn::ImageDecoder::padding);
  if (size > 0) std::memcpy(storage.data(), data, size);
  const std::span<const std::byte> bytes(storage.data(), size);
  tpn::exif_orientation(bytes);

  tpn::ImageDecoder decoder(limit);
  const bool acceptable = decoder.check(bytes).ok();
  const tpn::Result<tpn::DecodedImage> image = decoder.decode(bytes);
  if (!image) {
    tpn::fuzz::require(!image.failure().message.empty());
    return 0;
  }
  tpn::fuzz::require(acceptable);
  const AVFrame& frame = *image->frame;
  tpn::fuzz::require(frame.width > 0 && frame.height > 0 &&
                     std::int64_t{frame.width} * frame.height <= limit);
  return 0;
}
