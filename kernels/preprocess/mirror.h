// Mirrors images.
#pragma once

#include "kernels/preprocess/image.h"

namespace tpn::cpu {

/// Left becomes right.
inline void mirror(const MutableImageView& image) {
  for (int y = 0; y < image.size.height; ++y) {
    std::uint8_t* left = image.row(y);
    std::uint8_t* right = left + std::ptrdiff_t{3} * (image.size.width - 1);
    for (; left < right; left += 3, right -= 3) {
      for (int c = 0; c < 3; ++c) {
        const std::uint8_t kept = left[c];
        left[c] = right[c];
        right[c] = kept;
      }
    }
  }
}

}  // namespace tpn::cpu
