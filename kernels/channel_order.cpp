#include "kernels/channel_order.h"

#include <algorithm>

namespace tpn {

std::vector<float> swap_axes(std::span<const float> values, const Shape& shape, std::size_t axis) {
  const auto product = [&](std::size_t first, std::size_t last) {
    return static_cast<std::size_t>(Shape(shape.extents().subspan(first, last - first)).count());
  };
  const std::size_t outer = product(0, axis), a = product(axis, axis + 1), b = product(axis + 1, axis + 2),
                    inner = product(axis + 2, shape.rank());
  std::vector<float> swapped(values.size());
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < a; ++i) {
      for (std::size_t j = 0; j < b; ++j) {
        std::copy_n(values.data() + ((o * a + i) * b + j) * inner, inner,
                    swapped.data() + ((o * b + j) * a + i) * inner);
      }
    }
  }
  return swapped;
}

std::vector<float> channels_first(std::span<const float> values, const Shape& shape) {
  return swap_axes(values, {shape[0], shape[1] * shape[2] * shape[3], shape[4]}, 1);
}

std::vector<float> channels_last(std::span<const float> values, const Shape& shape) {
  return swap_axes(values, {shape[0], shape[4], shape[1] * shape[2] * shape[3]}, 1);
}

}  // namespace tpn
