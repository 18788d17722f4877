// How pictures are turned for display.
#pragma once

#include <cstdint>

#include "kernels/preprocess/image.h"

namespace tpn {

/// How a picture has to be turned for display: the picture is first transposed (mirrored at its main
/// diagonal) if `transpose`, then mirrored left to right and top to bottom.
struct Orientation {
  bool transpose = false;
  bool mirror_x = false;
  bool mirror_y = false;

  bool operator==(const Orientation&) const = default;
};

struct DisplayMatrix {
  Orientation orientation;
  bool unsupported_angle = false;  ///< not a multiple of 90 degrees; the picture stays as it is
};

/// Reads a display matrix (nine 32-bit numbers, side data of a stream or a frame) as the ffmpeg command does.
DisplayMatrix parse_display_matrix(const std::int32_t* matrix);

/// Writes the turned picture; the sizes must agree.
void turn(const ImageView& from, const Orientation& orientation, const MutableImageView& to);

}  // namespace tpn
