// Batches of views, as the network reads them, from decoded frames: each frame converted to RGB, resized, cut
// and normalised as frame.h, resize_linear.h and normalize_crop.h define it, and rounded once to the type of
// the batch. Devices do all of that in one kernel, because frames are much smaller than the views cut out of
// them: the 80 frames of 340x256 of ten clips are 21 MB and their 30 views in bf16, with 8 channels, 252 MB.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/convert.h"
#include "kernels/memory.h"
#include "kernels/ops/normalize_crop.h"
#include "kernels/ops/resize_linear.h"
#include "kernels/preprocess/frame.h"

namespace tpn {

/// Channels of a pixel of a batch: the image's three, and zeros.
inline constexpr int view_channels = 8;

/// Of all views of a batch, RGB in 0..255 units: (x - mean) / std.
struct Normalization {
  std::array<double, 3> mean{};
  std::array<double, 3> std{};
};

/// A view: the same square cut out of T frames of one format and size, resized.
struct ViewOfFrames {
  std::vector<FrameView> frames;
  ImageSize resized;
  int left = 0;  ///< first column and row of the crop in the resized frames
  int top = 0;
};

/// What pixel value `x` of channel `c` becomes.
inline float normalized_value(const Normalization& normalization, int c, std::uint8_t x) {
  return normalized_value(NormalizeCrop{normalization.mean, normalization.std}, c, x);
}

/// Throws Error unless `out` is (views, T, H, W, C) in f32, f16 or bf16 with C from 3 to 8 and a multiple of
/// 8 elements from pixel to pixel, and every view has T frames that hold its crop.
inline void check_make_views(std::span<const ViewOfFrames> views, const TensorView& out,
                             std::int64_t pixel_stride) {
  const Shape& s = out.shape;
  if (s.rank() != 5 || s[4] < 3 || s[4] > view_channels || !is_view_type(out.dtype) ||
      pixel_stride < view_channels || pixel_stride % view_channels != 0) {
    throw Error(
        "A batch of views must be a (views, T, H, W, 3 to 8) tensor of f32, f16 or bf16 with pixels "
        "a multiple of 8 elements apart, not " +
        to_string(s) + " of " + std::string(name_of(out.dtype)) + ", " + std::to_string(pixel_stride) +
        " apart.");
  }
  if (static_cast<std::int64_t>(views.size()) != s[0]) {
    throw Error("A batch of " + std::to_string(s[0]) + " views was given " + std::to_string(views.size()) +
                ".");
  }
  for (const ViewOfFrames& view : views) {
    std::vector<ImageView> frames;
    for (const FrameView& frame : view.frames) {
      check_resize(frame.size, view.resized);
      if (frame.size != view.frames[0].size || frame.format != view.frames[0].format) {
        throw Error("The frames of a view differ in size or format.");
      }
      frames.push_back({nullptr, view.resized, 0});
    }
    check_normalize_crop({{}, {}, view.left, view.top}, frames,
                         {nullptr, DType::f32, {s[1], s[2], s[3], s[4]}});
  }
}

/// The definition, one view after the other.
inline void make_views_reference(const Normalization& normalization, std::span<const ViewOfFrames> views,
                                 const TensorView& out, std::int64_t pixel_stride) {
  check_make_views(views, out, pixel_stride);
  const Shape view_shape{out.shape[1], out.shape[2], out.shape[3], view_channels};
  const HostBuffer memory(static_cast<std::size_t>(view_shape.count()) * size_of(out.dtype));
  const TensorView dense{memory.data(), out.dtype, view_shape};
  std::byte* to = out.data;
  for (const ViewOfFrames& view : views) {
    std::vector<Image> resized;
    std::vector<ImageView> images;
    for (const FrameView& frame : view.frames) {
      Image decoded(frame.size);
      convert_to_rgb(frame, decoded.view());
      resize_linear_reference(decoded.view(), resized.emplace_back(view.resized).view());
    }
    images.reserve(resized.size());
    for (const Image& image : resized) images.push_back(image.view());
    normalize_crop_reference({normalization.mean, normalization.std, view.left, view.top}, images, dense);
    spread_pixels(dense, pixel_stride, to);
    to += dense.bytes() / view_channels * static_cast<std::size_t>(pixel_stride);
  }
}

}  // namespace tpn
