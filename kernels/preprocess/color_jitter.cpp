#include "kernels/preprocess/color_jitter.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

/// Steps between which nothing is clipped are one affine map of a pixel: out = matrix x + offset.
struct AffineMap {
  std::array<std::array<float, 3>, 3> matrix{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  float offset = 0;  // of every channel: steps that add something add it to all

  /// Followed by share x + (1 - share) `grey of x`.
  void mix_with_grey(float share) {
    for (std::size_t from = 0; from < 3; ++from) {
      float grey = 0;
      for (std::size_t to = 0; to < 3; ++to) grey += grey_shares[to] * matrix[to][from];
      for (std::size_t to = 0; to < 3; ++to) matrix[to][from] = share * matrix[to][from] + (1 - share) * grey;
    }
    const float sum = grey_shares[0] + grey_shares[1] + grey_shares[2];
    offset = share * offset + (1 - share) * sum * offset;
  }
  void scale(float factor) {
    for (auto& row : matrix) {
      for (float& x : row) x *= factor;
    }
    offset *= factor;
  }
  /// Grey value of what a pixel becomes.
  [[nodiscard]] float grey_of(const std::array<double, 3>& pixel) const {
    double grey = 0;
    for (std::size_t to = 0; to < 3; ++to) {
      double value = offset;
      for (std::size_t from = 0; from < 3; ++from) value += double{matrix[to][from]} * pixel[from];
      grey += double{grey_shares[to]} * value;
    }
    return static_cast<float>(grey);
  }
  [[nodiscard]] bool is_identity() const { return matrix == AffineMap{}.matrix && offset == 0; }
};

std::array<double, 3> mean_pixel(const ImageView& image) {
  std::array<std::uint64_t, 3> sums{};
  for (int y = 0; y < image.size.height; ++y) {
    std::array<std::uint32_t, 3> row_sums{};
    const std::uint8_t* pixel = image.row(y);
    for (int x = 0; x < image.size.width; ++x, pixel += 3) {
      for (std::size_t c = 0; c < 3; ++c) row_sums[c] += pixel[c];
    }
    for (std::size_t c = 0; c < 3; ++c) sums[c] += row_sums[c];
  }
  const double count = static_cast<double>(image.size.width) * image.size.height;
  return {static_cast<double>(sums[0]) / count, static_cast<double>(sums[1]) / count,
          static_cast<double>(sums[2]) / count};
}

TPN_VECTORIZE
void map_row(const AffineMap& map, const std::uint8_t* pixel, int width, std::uint8_t* out) {
  const auto& m = map.matrix;
  for (int x = 0; x < width; ++x, pixel += 3, out += 3) {
    const float red = pixel[0];
    const float green = pixel[1];
    const float blue = pixel[2];
    for (std::size_t c = 0; c < 3; ++c) {
      out[c] = truncated_pixel(m[c][0] * red + m[c][1] * green + m[c][2] * blue + map.offset);
    }
  }
}

void turn_row(const HsvTables& tables, int steps, std::uint8_t* pixel, int width) {
  for (int x = 0; x < width; ++x, pixel += 3) {
    Hsv color = to_hsv(tables, pixel[0], pixel[1], pixel[2]);
    color.hue += steps;  // less than a circle
    color.hue -= color.hue >= 180 ? 180 : 0;
    from_hsv(color, pixel);
  }
}

/// What the steps, none of which is hue, make of pixels of `image`.
AffineMap map_of(const ColorJitter& attributes, std::span<const JitterStep> steps, const ImageView& image) {
  AffineMap map;
  for (const JitterStep step : steps) {
    if (step == JitterStep::brightness) {
      map.scale(static_cast<float>(attributes.brightness));
    } else if (step == JitterStep::saturation) {
      map.mix_with_grey(static_cast<float>(attributes.saturation));
    } else if (attributes.contrast != 1) {
      const float grey = map.grey_of(mean_pixel(image));
      map.scale(static_cast<float>(attributes.contrast));
      map.offset += static_cast<float>(1 - attributes.contrast) * grey;
    }
  }
  return map;
}

void map_image(const AffineMap& map, const ImageView& source, const MutableImageView& out) {
  if (map.is_identity() && source.data == out.data) return;
  for (int y = 0; y < source.size.height; ++y) map_row(map, source.row(y), source.size.width, out.row(y));
}

}  // namespace

void color_jitter(const ColorJitter& attributes, const ImageView& source, const MutableImageView& out) {
  check_color_jitter(attributes, source.size, out.size);
  static const HsvTables tables;
  const std::span<const JitterStep> steps = attributes.order;
  const auto hue = static_cast<std::size_t>(std::ranges::find(steps, JitterStep::hue) - steps.begin());
  const bool turns = hue < steps.size() && attributes.hue != 0;
  if (!turns) {
    std::vector<JitterStep> others(steps.begin(), steps.end());
    std::erase(others, JitterStep::hue);
    return map_image(map_of(attributes, others, source), source, out);
  }
  map_image(map_of(attributes, steps.first(hue), source), source, out);
  const int steps_forward = turned_hue(0, attributes.hue);
  for (int y = 0; y < out.size.height; ++y) turn_row(tables, steps_forward, out.row(y), out.size.width);
  map_image(map_of(attributes, steps.subspan(hue + 1), out), out, out);
}

}  // namespace tpn::cpu
