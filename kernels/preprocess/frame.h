// Decoded frames of videos: RGB, or NV12 as hardware decoders give it, and the RGB that this stands for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/preprocess/image.h"
#include "kernels/preprocess/yuv_to_rgb.h"

namespace tpn {

/// NV12 is a plane of luma (height, width) and one of chroma (height / 2, width / 2, 2) with halves rounded
/// up, Cb before Cr: a pixel has the chroma at half its coordinates, rounded down. BT.601 or BT.709 is the
/// matrix; luma takes the values 16..235 and chroma 16..240, or where `full` all of 0..255.
enum class FrameFormat : std::uint8_t { rgb, nv12_bt601, nv12_bt601_full, nv12_bt709, nv12_bt709_full };

/// Zeros for RGB, which needs none.
inline YuvToRgb yuv_to_rgb(FrameFormat format) {
  switch (format) {
    case FrameFormat::rgb:
      return {};
    case FrameFormat::nv12_bt601:
    case FrameFormat::nv12_bt601_full:
      return yuv_to_rgb(0.299, 0.114, format == FrameFormat::nv12_bt601_full);
    case FrameFormat::nv12_bt709:
    case FrameFormat::nv12_bt709_full:
      return yuv_to_rgb(0.2126, 0.0722, format == FrameFormat::nv12_bt709_full);
  }
  return {};
}

/// A frame somewhere in memory, owned by someone else. Strides are the distances of rows in bytes.
struct FrameView {
  FrameFormat format = FrameFormat::rgb;
  ImageSize size;
  const std::uint8_t* data = nullptr;  ///< RGB pixels or luma
  std::ptrdiff_t stride = 0;
  const std::uint8_t* chroma = nullptr;  ///< of NV12
  std::ptrdiff_t chroma_stride = 0;
};

inline FrameView frame_of(const ImageView& image) {
  return {FrameFormat::rgb, image.size, image.data, image.stride, nullptr, 0};
}

/// Of a frame in RGB.
inline ImageView image_of(const FrameView& frame) {
  return {frame.data, frame.size, frame.stride};
}

/// The definition of what a frame looks like: writes its pixels to `out`, which has its size.
inline void convert_to_rgb(const FrameView& frame, const MutableImageView& out) {
  const YuvToRgb conversion = yuv_to_rgb(frame.format);
  for (int y = 0; y < frame.size.height; ++y) {
    const std::uint8_t* from = frame.data + y * frame.stride;
    std::uint8_t* to = out.row(y);
    if (frame.format == FrameFormat::rgb) {
      std::copy_n(from, std::ptrdiff_t{3} * frame.size.width, to);
      continue;
    }
    const std::uint8_t* chroma = frame.chroma + (y / 2) * frame.chroma_stride;
    for (int x = 0; x < frame.size.width; ++x, to += 3) {
      const std::uint8_t* pair = chroma + (x - x % 2);
      const Rgb pixel = to_rgb(conversion, from[x], pair[0], pair[1]);
      to[0] = static_cast<std::uint8_t>(pixel.red);
      to[1] = static_cast<std::uint8_t>(pixel.green);
      to[2] = static_cast<std::uint8_t>(pixel.blue);
    }
  }
}

/// Where a frame without gaps between its rows has them.
struct FrameLayout {
  FrameFormat format = FrameFormat::rgb;
  ImageSize size;

  bool operator==(const FrameLayout&) const = default;

  [[nodiscard]] std::size_t row_bytes() const {
    return static_cast<std::size_t>(size.width) * (format == FrameFormat::rgb ? 3 : 1);
  }
  [[nodiscard]] std::size_t chroma_row_bytes() const {
    return format == FrameFormat::rgb ? 0 : (static_cast<std::size_t>(size.width) + 1) / 2 * 2;
  }
  [[nodiscard]] std::size_t chroma_rows() const { return (static_cast<std::size_t>(size.height) + 1) / 2; }
  [[nodiscard]] std::size_t chroma_offset() const {
    return row_bytes() * static_cast<std::size_t>(size.height);
  }
  [[nodiscard]] std::size_t bytes() const { return chroma_offset() + chroma_row_bytes() * chroma_rows(); }

  /// The frame that begins at `data`.
  [[nodiscard]] FrameView at(const std::byte* data) const {
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(data);
    const bool rgb = format == FrameFormat::rgb;
    return {format,
            size,
            pixels,
            static_cast<std::ptrdiff_t>(row_bytes()),
            rgb ? nullptr : pixels + chroma_offset(),
            static_cast<std::ptrdiff_t>(chroma_row_bytes())};
  }
};

}  // namespace tpn
