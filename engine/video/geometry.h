// Sizes and crops of frames (mmaction2, datasets/transforms/processing.py Resize, ThreeCrop, CenterCrop).
#pragma once

#include <vector>

#include "kernels/preprocess/image.h"

namespace tpn {

/// Upper left corner of a crop, pixels.
struct CropOffset {
  int left = 0;
  int top = 0;

  bool operator==(const CropOffset&) const = default;
};

/// The size of which the shorter side is `short_side` and that keeps the aspect ratio: each side times
/// short_side / min(width, height) in double, rounded half up. Throws Error when a side is not positive or
/// becomes larger than 2^24 pixels.
ImageSize short_side_size(ImageSize size, int short_side);

/// Square crops along the longer side, in the order of the protocol: first end, last end, middle. Throws
/// Error unless one side equals `crop` and the other is not smaller.
std::vector<CropOffset> three_crop_offsets(ImageSize size, int crop);

/// The middle square. Throws Error when it does not fit.
CropOffset center_crop_offset(ImageSize size, int crop);

}  // namespace tpn
