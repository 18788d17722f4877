#include "engine/video/geometry.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/error.h"

namespace tpn {
namespace {

std::string text_of(ImageSize size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

}  // namespace

ImageSize short_side_size(ImageSize size, int short_side) {
  constexpr double largest = 1 << 24;
  if (std::min({size.width, size.height, short_side}) < 1) {
    throw Error("Frames of " + text_of(size) + " pixels cannot be resized to a short side of " +
                std::to_string(short_side) + ".");
  }
  const double factor = static_cast<double>(short_side) / std::min(size.width, size.height);
  if (std::max(size.width, size.height) * factor > largest) {
    throw Error("Frames of " + text_of(size) + " pixels become too large with a short side of " +
                std::to_string(short_side) + ".");
  }
  const auto scaled = [factor](int side) { return static_cast<int>(std::floor(side * factor + 0.5)); };
  return {scaled(size.width), scaled(size.height)};
}

std::vector<CropOffset> three_crop_offsets(ImageSize size, int crop) {
  if (crop < 1 || std::min(size.width, size.height) != crop) {
    throw Error("Three crops of " + std::to_string(crop) +
                " pixels need frames of which the short side is as long, not " + text_of(size) + ".");
  }
  const int step = (std::max(size.width, size.height) - crop) / 2;
  if (size.height == crop) return {{0, 0}, {2 * step, 0}, {step, 0}};
  return {{0, 0}, {0, 2 * step}, {0, step}};
}

CropOffset center_crop_offset(ImageSize size, int crop) {
  if (crop < 1 || std::min(size.width, size.height) < crop) {
    throw Error("A crop of " + std::to_string(crop) + " pixels does not fit frames of " + text_of(size) +
                ".");
  }
  return {(size.width - crop) / 2, (size.height - crop) / 2};
}

}  // namespace tpn
