// Images and byte comparison for tests of preprocessing.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/preprocess/image.h"
#include "kernels/tensor.h"

namespace tpn::test {

inline Image random_image(ImageSize size, std::uint32_t seed) {
  std::mt19937 generator(seed);
  Image image(size);
  const MutableImageView view = image.view();
  for (int y = 0; y < size.height; ++y) {
    for (int i = 0; i < 3 * size.width; ++i) view.row(y)[i] = static_cast<std::uint8_t>(generator() >> 24);
  }
  return image;
}

/// The (H, W, 3) image number `index` of a dense uint8 tensor (..., H, W, 3).
inline ImageView image_of(const ConstTensorView& tensor, std::int64_t index = 0) {
  const std::size_t rank = tensor.shape.rank();
  const auto height = static_cast<int>(tensor.shape[rank - 3]);
  const auto width = static_cast<int>(tensor.shape[rank - 2]);
  return {elements<std::uint8_t>(tensor) + index * height * width * 3,
          {width, height},
          std::ptrdiff_t{3} * width};
}

inline bool equal_pixels(const ImageView& a, const ImageView& b) {
  if (a.size != b.size) return false;
  for (int y = 0; y < a.size.height; ++y) {
    if (std::memcmp(a.row(y), b.row(y), std::size_t{3} * a.size.width) != 0) return false;
  }
  return true;
}

}  // namespace tpn::test
