// A view of a clip, as the network reads it, from its decoded and resized frames: the same square cut out of
// every frame, each channel (x - mean) / std in float32, and channels of zeros appended where the first
// convolution wants more than three.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "kernels/error.h"
#include "kernels/half.h"
#include "kernels/preprocess/image.h"
#include "kernels/tensor.h"

namespace tpn {

struct NormalizeCrop {
  std::array<double, 3> mean{};  ///< RGB, 0..255 units
  std::array<double, 3> std{};
  int left = 0;  ///< first column and row of the crop
  int top = 0;
};

/// What pixel value `x` of channel `c` becomes. The division is part of the definition: a product with 1/std
/// rounds differently.
inline float normalized_value(const NormalizeCrop& attributes, int c, std::uint8_t x) {
  const auto i = static_cast<std::size_t>(c);
  return (static_cast<float>(x) - static_cast<float>(attributes.mean[i])) /
         static_cast<float>(attributes.std[i]);
}

/// Whether views can have that type.
inline bool is_view_type(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

/// Throws Error unless `out` is (T, H, W, C) with C >= 3 in f32, f16 or bf16, and each of the T frames holds
/// the crop.
inline void check_normalize_crop(const NormalizeCrop& attributes, std::span<const ImageView> frames,
                                 const TensorView& out) {
  if (out.shape.rank() != 4 || out.shape[3] < 3 || !is_view_type(out.dtype)) {
    throw Error("A view must be written to a (T, H, W, C >= 3) tensor of f32, f16 or bf16, not to " +
                to_string(out.shape) + " of " + std::string(name_of(out.dtype)) + ".");
  }
  if (static_cast<std::int64_t>(frames.size()) != out.shape[0]) {
    throw Error("A view of " + std::to_string(out.shape[0]) + " frames was given " +
                std::to_string(frames.size()) + ".");
  }
  for (const ImageView& frame : frames) {
    if (attributes.left >= 0 && attributes.top >= 0 && attributes.left + out.shape[2] <= frame.size.width &&
        attributes.top + out.shape[1] <= frame.size.height) {
      continue;
    }
    throw Error("A crop of " + std::to_string(out.shape[2]) + "x" + std::to_string(out.shape[1]) +
                " pixels at (" + std::to_string(attributes.left) + ", " + std::to_string(attributes.top) +
                ") does not lie in a frame of " + std::to_string(frame.size.width) + "x" +
                std::to_string(frame.size.height) + ".");
  }
}

/// The definition, one value after the other.
inline void normalize_crop_reference(const NormalizeCrop& attributes, std::span<const ImageView> frames,
                                     const TensorView& out) {
  check_normalize_crop(attributes, frames, out);
  std::size_t i = 0;
  for (const ImageView& frame : frames) {
    for (int y = 0; y < out.shape[1]; ++y) {
      for (int x = 0; x < out.shape[2]; ++x) {
        for (int c = 0; c < out.shape[3]; ++c, ++i) {
          const std::uint8_t* pixel =
              frame.row(attributes.top + y) + std::ptrdiff_t{3} * (attributes.left + x);
          const float normalized = c < 3 ? normalized_value(attributes, c, pixel[c]) : 0.0F;
          if (out.dtype == DType::f32) {
            elements<float>(out)[i] = normalized;
          } else {
            elements<std::uint16_t>(out)[i] =
                out.dtype == DType::f16 ? f32_to_f16(normalized) : f32_to_bf16(normalized);
          }
        }
      }
    }
  }
}

}  // namespace tpn
