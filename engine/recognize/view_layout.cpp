#include "engine/recognize/view_layout.h"

#include <algorithm>
#include <cstddef>

#include "kernels/convert.h"

namespace tpn {
namespace {

/// Swaps two axes of a dense tensor (outer, a, b, inner).
void swap_axes(const float* source, std::size_t outer, std::size_t a, std::size_t b, std::size_t inner,
               float* target) {
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < a; ++i) {
      for (std::size_t j = 0; j < b; ++j) {
        std::copy_n(source + ((o * a + i) * b + j) * inner, inner, target + ((o * b + j) * a + i) * inner);
      }
    }
  }
}

std::size_t extent(const Shape& shape, std::size_t axis) {
  return static_cast<std::size_t>(shape[axis]);
}

}  // namespace

void to_network_layout(std::span<const float> views, const TensorView& out) {
  const Shape& s = out.shape;
  const std::size_t cells = extent(s, 1) * extent(s, 2) * extent(s, 3);
  std::vector<float> swapped(views.size());
  swap_axes(views.data(), extent(s, 0), extent(s, 4), cells, 1, swapped.data());
  convert(reinterpret_cast<const std::byte*>(swapped.data()), DType::f32, out.data, out.dtype,
          swapped.size());
}

std::vector<float> to_reference_layout(const ConstTensorView& view) {
  const Shape& s = view.shape;
  std::vector<float> result(static_cast<std::size_t>(s.count()));
  swap_axes(elements<float>(view), 1, extent(s, 0) * extent(s, 1) * extent(s, 2), extent(s, 3), 1,
            result.data());
  return result;
}

Feature frames_as_batch(const Feature& feature) {
  const Shape& s = feature.shape;
  Feature result{{s[0] * s[2], s[1], s[3], s[4]}, std::vector<float>(feature.values.size())};
  swap_axes(feature.values.data(), extent(s, 0), extent(s, 1), extent(s, 2), extent(s, 3) * extent(s, 4),
            result.values.data());
  return result;
}

}  // namespace tpn
