// Bilinear resizing of 8-bit images with the numbers of OpenCV's INTER_LINEAR, on which the released models
// were trained and evaluated: fixed-point weights, and roundings that are part of the definition.
//
// Along one axis, destination pixel d lies at source position p = (d + 1/2) * source/size - 1/2 and mixes the
// pixels floor(p) and floor(p) + 1 with weights 1 - frac(p) and frac(p), rounded to multiples of 1/2048.
//   row[y][x] = a0 * s[y][x0] + a1 * s[y][x1]                               11 fractional bits
//   out[y][x] = ((b0 * (row[y0][x] >> 4) >> 16) + (b1 * (row[y1][x] >> 4) >> 16) + 2) >> 2
// Two cases are special: an equal size is copied, and halving both sides is the rounded mean of 2x2 pixels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "kernels/preprocess/image.h"

namespace tpn {

/// The two source pixels of a destination pixel along one axis, and their weights in units of 1/2048.
struct LinearTap {
  int first;
  int second;
  std::int16_t first_weight;
  std::int16_t second_weight;
};

/// What happens where a tap reaches over the border. Columns take the border pixel alone; rows keep both
/// weights, each rounded on its own, on the border row.
enum class TapBorder { border_pixel, border_pixel_twice };

/// The taps of an axis of `source` pixels resized to `size`.
inline std::vector<LinearTap> linear_taps(int size, int source, TapBorder border) {
  // Written as the reciprocal of the inverse ratio because this rounding decides some weights.
  const double scale = 1.0 / (static_cast<double>(size) / source);
  std::vector<LinearTap> result;
  result.reserve(static_cast<std::size_t>(size));
  for (int d = 0; d < size; ++d) {
    const auto position = static_cast<float>((d + 0.5) * scale - 0.5);
    int first = static_cast<int>(std::floor(position));
    float fraction = position - static_cast<float>(first);
    if (border == TapBorder::border_pixel && (first < 0 || first >= source - 1)) fraction = 0;
    if (border == TapBorder::border_pixel) first = std::clamp(first, 0, source - 1);
    const auto weight = [](float w) { return static_cast<std::int16_t>(std::nearbyint(w * 2048)); };
    result.push_back({std::clamp(first, 0, source - 1), std::clamp(first + 1, 0, source - 1),
                      weight(1 - fraction), weight(fraction)});
  }
  return result;
}

/// Whether both sides are exactly halved.
inline bool halves(ImageSize source, ImageSize size) {
  return source.width == 2 * size.width && source.height == 2 * size.height;
}

/// Throws Error unless both images have pixels.
inline void check_resize(ImageSize source, ImageSize size) {
  const auto text = [](ImageSize s) { return std::to_string(s.width) + "x" + std::to_string(s.height); };
  if (std::min({source.width, source.height, size.width, size.height}) > 0) return;
  throw Error("An image of " + text(source) + " pixels cannot be resized to " + text(size) + ".");
}

/// The definition, one pixel after the other.
inline void resize_linear_reference(const ImageView& source, const MutableImageView& out) {
  check_resize(source.size, out.size);
  const auto pixel = [&source](int y, int x, int c) { return int{source.row(y)[3 * x + c]}; };
  const std::vector<LinearTap> columns =
      linear_taps(out.size.width, source.size.width, TapBorder::border_pixel);
  const std::vector<LinearTap> rows =
      linear_taps(out.size.height, source.size.height, TapBorder::border_pixel_twice);
  const bool equal = source.size == out.size;
  const bool halved = halves(source.size, out.size);
  for (int y = 0; y < out.size.height; ++y) {
    for (int x = 0; x < out.size.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const auto mixed_row = [&](int from) {
          const LinearTap& tap = columns[static_cast<std::size_t>(x)];
          return tap.first_weight * pixel(from, tap.first, c) +
                 tap.second_weight * pixel(from, tap.second, c);
        };
        const LinearTap& tap = rows[static_cast<std::size_t>(y)];
        int value = 0;
        if (equal) {
          value = pixel(y, x, c);
        } else if (halved) {
          value = (pixel(2 * y, 2 * x, c) + pixel(2 * y, 2 * x + 1, c) + pixel(2 * y + 1, 2 * x, c) +
                   pixel(2 * y + 1, 2 * x + 1, c) + 2) >>
                  2;
        } else {
          value = ((tap.first_weight * (mixed_row(tap.first) >> 4) >> 16) +
                   (tap.second_weight * (mixed_row(tap.second) >> 4) >> 16) + 2) >>
                  2;
        }
        out.row(y)[3 * x + c] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
      }
    }
  }
}

}  // namespace tpn
