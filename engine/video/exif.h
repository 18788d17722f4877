// How a camera was held, from the metadata of images.
#pragma once

#include <cstddef>
#include <span>

#include "engine/video/orientation.h"

namespace tpn {

/// How a picture has to be turned by its EXIF block: a TIFF header and directory, after "Exif\0\0" or not.
/// Not at all where there is no valid orientation (tag 0x0112, EXIF 2.32).
Orientation exif_orientation(std::span<const std::byte> block);

}  // namespace tpn
