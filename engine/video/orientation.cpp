#include "engine/video/orientation.h"

extern "C" {
#include <libavutil/display.h>
}

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace tpn {

DisplayMatrix parse_display_matrix(const std::int32_t* matrix) {
  const double counterclockwise = av_display_rotation_get(matrix);
  if (std::isnan(counterclockwise)) return {};  // such as all zeros: it says nothing
  // Clockwise, in (-0.9, 359.1].
  double theta = -std::round(counterclockwise);
  theta -= 360 * std::floor(theta / 360 + 0.9 / 360);
  const auto is = [theta](double angle) { return std::abs(theta - angle) < 1; };
  if (is(90)) return {{true, matrix[3] <= 0, false}, false};
  if (is(180)) return {{false, matrix[0] < 0, matrix[4] < 0}, false};
  if (is(270)) return {{true, matrix[3] < 0, true}, false};
  if (is(0)) return {{false, false, matrix[4] < 0}, false};
  return {{}, true};
}

void turn(const ImageView& from, const Orientation& orientation, const MutableImageView& to) {
  constexpr int tile = 32;  // keeps the columns that a transposition walks along in the cache
  for (int y0 = 0; y0 < to.size.height; y0 += tile) {
    for (int x0 = 0; x0 < to.size.width; x0 += tile) {
      for (int y = y0; y < std::min(y0 + tile, to.size.height); ++y) {
        const int v = orientation.mirror_y ? to.size.height - 1 - y : y;
        std::uint8_t* out = to.row(y) + std::ptrdiff_t{3} * x0;
        for (int x = x0; x < std::min(x0 + tile, to.size.width); ++x, out += 3) {
          const int u = orientation.mirror_x ? to.size.width - 1 - x : x;
          const std::uint8_t* in = orientation.transpose ? from.row(u) + std::ptrdiff_t{3} * v
                                                         : from.row(v) + std::ptrdiff_t{3} * u;
          std::memcpy(out, in, 3);
        }
      }
    }
  }
}

}  // namespace tpn
