// WebP images by libwebp: chroma is interpolated as it does, which is how OpenCV shows them.
#pragma once

#include <cstddef>
#include <span>

#include "engine/video/orientation.h"
#include "kernels/error.h"
#include "kernels/preprocess/image.h"

namespace tpn {

struct WebpHeader {
  ImageSize size;           ///< as stored, before turning
  Orientation orientation;  ///< by its EXIF block
};

/// Whether the bytes say that they are a WebP image.
bool is_webp(std::span<const std::byte> bytes);

/// Fails for an animation, and when bytes are missing. The failure is a clause.
Result<WebpHeader> read_webp_header(std::span<const std::byte> bytes);

/// Writes the picture as RGB, its transparency dropped, to `out`, which has the header's size; false when the
/// data is damaged.
bool decode_webp(std::span<const std::byte> bytes, const MutableImageView& out);

}  // namespace tpn
