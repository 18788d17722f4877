// Random changes of a training clip's colours, by the numbers of mmaction2's ColorJitter
// (datasets/transforms/ processing.py) and OpenCV's conversions between RGB and HSV for 8-bit images.
//
// Four steps in any order, in float32 and not clipped between them; g(x) = 0.2989 R + 0.587 G + 0.114 B:
//   brightness b   x -> b x
//   contrast c     x -> c x + (1 - c) mean over the image of g(x)
//   saturation s   x -> s x + (1 - s) g(x)
//   hue h          clip to 0..255, truncate, to HSV, H + trunc(255 h) modulo 180, back to RGB; not where h is
//   0
// At the end values are clipped to 0..255 and truncated. OpenCV truncates what HSV becomes in its vector loop
// and rounds it in the last columns of a row; here all is truncated.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/error.h"
#include "kernels/preprocess/image.h"

namespace tpn {

enum class JitterStep : std::uint8_t { brightness, contrast, saturation, hue };

struct ColorJitter {
  double brightness = 1;
  double contrast = 1;
  double saturation = 1;
  double hue = 0;  ///< a turn is 180 / 255
  std::array<JitterStep, 4> order{JitterStep::brightness, JitterStep::contrast, JitterStep::saturation,
                                  JitterStep::hue};
};

/// Shares of R, G and B in the grey value of a pixel.
inline constexpr std::array<float, 3> grey_shares{0.2989F, 0.587F, 0.114F};

/// A clipped and truncated pixel value.
inline std::uint8_t truncated_pixel(float x) {
  return static_cast<std::uint8_t>(std::clamp(x, 0.0F, 255.0F));
}

/// H in steps of 2 degrees, 0..179; S and V in 0..255.
struct Hsv {
  int hue;
  int saturation;
  int value;
};

/// Reciprocals with 12 fractional bits; 0 for 0.
struct HsvTables {
  std::array<int, 256> saturation{};  ///< 255 / v
  std::array<int, 256> hue{};         ///< 30 / range

  HsvTables() {
    for (int i = 1; i < 256; ++i) {
      saturation[static_cast<std::size_t>(i)] = static_cast<int>(std::nearbyint((255 << 12) / double(i)));
      hue[static_cast<std::size_t>(i)] = static_cast<int>(std::nearbyint((30 << 12) / double(i)));
    }
  }
};

inline Hsv to_hsv(const HsvTables& tables, int red, int green, int blue) {
  const int value = std::max(red, std::max(green, blue));
  const int range = value - std::min(red, std::min(green, blue));
  const int sector = value == red     ? green - blue
                     : value == green ? blue - red + 2 * range
                                      : red - green + 4 * range;
  const int hue = (sector * tables.hue[static_cast<std::size_t>(range)] + (1 << 11)) >> 12;
  const int saturation = (range * tables.saturation[static_cast<std::size_t>(value)] + (1 << 11)) >> 12;
  return {hue + (hue < 0 ? 180 : 0), saturation, value};
}

/// Writes R, G and B. Each falls by S times how far the hue is from where it is strongest: over a third of
/// the circle not at all, over the opposite third wholly, in between in proportion.
inline void from_hsv(const Hsv& color, std::uint8_t* out) {
  const float sextant = static_cast<float>(color.hue) * (6.0F / 180);
  const float s = static_cast<float>(color.saturation) * (1.0F / 255);
  const float v = static_cast<float>(color.value) * (1.0F / 255);
  const auto level = [=](float share) {
    return truncated_pixel(v * (1 - s * std::clamp(share, 0.0F, 1.0F)) * 255);
  };
  out[0] = level(2 - std::abs(sextant - 3));
  out[1] = level(std::abs(sextant - 2) - 1);
  out[2] = level(std::abs(sextant - 4) - 1);
}

/// H by so many steps further, around the circle.
inline int turned_hue(int hue, double turn) {
  return (hue + static_cast<int>(turn * 255) + 360) % 180;
}

/// Throws Error unless both images have one size and some pixels, and hue is within half a turn.
inline void check_color_jitter(const ColorJitter& attributes, ImageSize source, ImageSize out) {
  if (source != out || std::min(source.width, source.height) < 1) {
    throw Error("Colours are changed from one image to another of the same size with one pixel or more.");
  }
  if (!(std::abs(attributes.hue) <= 0.5)) throw Error("The hue is turned by half a turn at most.");
}

/// The definition. `out` may be the source.
inline void color_jitter_reference(const ColorJitter& attributes, const ImageView& source,
                                   const MutableImageView& out) {
  check_color_jitter(attributes, source.size, out.size);
  const std::size_t row = std::size_t{3} * static_cast<std::size_t>(source.size.width);
  std::vector<float> x;  // (H, W, 3)
  for (int y = 0; y < source.size.height; ++y) x.insert(x.end(), source.row(y), source.row(y) + row);
  const auto grey = [&](std::size_t i) {
    return grey_shares[0] * x[i] + grey_shares[1] * x[i + 1] + grey_shares[2] * x[i + 2];
  };
  const auto mix = [&](std::size_t i, double share, float other) {
    for (std::size_t c = i; c < i + 3; ++c) x[c] = static_cast<float>(share) * x[c] + other;
  };
  const HsvTables tables;
  for (const JitterStep step : attributes.order) {
    double mean = 0;
    for (std::size_t i = 0; i < x.size(); i += 3) mean += grey(i) / (static_cast<double>(x.size()) / 3);
    for (std::size_t i = 0; i < x.size(); i += 3) {
      if (step == JitterStep::brightness) {
        mix(i, attributes.brightness, 0);
      } else if (step == JitterStep::contrast) {
        mix(i, attributes.contrast, static_cast<float>((1 - attributes.contrast) * mean));
      } else if (step == JitterStep::saturation) {
        mix(i, attributes.saturation, static_cast<float>(1 - attributes.saturation) * grey(i));
      } else if (attributes.hue != 0) {
        Hsv color =
            to_hsv(tables, truncated_pixel(x[i]), truncated_pixel(x[i + 1]), truncated_pixel(x[i + 2]));
        color.hue = turned_hue(color.hue, attributes.hue);
        std::array<std::uint8_t, 3> turned{};
        from_hsv(color, turned.data());
        std::copy(turned.begin(), turned.end(), x.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  for (int y = 0; y < out.size.height; ++y) {
    std::transform(x.data() + static_cast<std::size_t>(y) * row,
                   x.data() + static_cast<std::size_t>(y + 1) * row, out.row(y), truncated_pixel);
  }
}

}  // namespace tpn
