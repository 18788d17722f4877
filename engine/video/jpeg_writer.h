// Writes JPEG images by libjpeg-turbo.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/preprocess/image.h"

namespace tpn {

/// A baseline JPEG file of an RGB image; quality: 1 to 100. Throws Error when the image is empty or larger
/// than the format allows (65,500 pixels a side).
std::vector<std::byte> encode_jpeg(const ImageView& image, int quality);

}  // namespace tpn
