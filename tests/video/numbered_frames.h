// Reads the numbers that the frames of tests/data/video show (see make.sh there).
#pragma once

#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "engine/video/video_source.h"
#include "kernels/preprocess/image.h"

namespace tpn::test {

inline std::string video_fixture(const std::string& name) {
  return std::string(TPN_TEST_DATA "/video/") + name;
}

/// Where the point (u, v) of an upright picture of `size` stands in the picture as it is shown.
using PointMap = std::function<std::pair<int, int>(int u, int v, ImageSize size)>;

inline std::pair<int, int> upright(int u, int v, ImageSize /*size*/) {
  return {u, v};
}

/// The number that a picture shows; -1 when the grey third is not where it should be. `size` is that of the
/// upright picture.
inline int shown_number(const ImageView& picture, ImageSize size, const PointMap& map = upright) {
  const auto level = [&](int u, int v) {
    const auto [x, y] = map(u, v, size);
    return int{picture.row(y)[3 * x + 1]};
  };
  int number = 0;
  for (int bit = 0; bit < 8; ++bit) {
    const int u = (2 * bit + 1) * size.width / 16;
    const int grey = level(u, size.height * 5 / 6);
    if (grey < 90 || grey > 170) return -1;
    if (level(u, size.height / 3) > 128) number |= 1 << bit;
  }
  return number;
}

/// The numbers shown by all frames of a source.
inline std::vector<int> shown_numbers(VideoSource& source, const PointMap& map = upright,
                                      bool turned = false) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(source.info().frames));
  std::iota(indices.begin(), indices.end(), 0);
  ImageSize size = source.info().size;
  if (turned) std::swap(size.width, size.height);
  std::vector<int> numbers;
  source.read(indices, [&](std::size_t, const ImageView& picture) {
    numbers.push_back(shown_number(picture, size, map));
  });
  return numbers;
}

/// first, first + 1, ... `count` numbers.
inline std::vector<int> counting(int first, int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

}  // namespace tpn::test
