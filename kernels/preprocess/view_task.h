// Making views on a device: what the kernel of a backend is given, and the arithmetic of a pixel. The numbers
// are those of ops/make_views.h to the bit: whatever needs floating-point arithmetic is in tables that the
// host makes, so that its roundings decide.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/host_device.h"
#include "kernels/preprocess/yuv_to_rgb.h"
#include "kernels/tensor.h"

namespace tpn {

/// A LinearTap, in 16 bytes. Equal sizes and exact halving need no other code: weights of 2048 and 0 copy a
/// pixel, and those of 1024 give (a + b + c + d + 2) >> 2, without any rounding in between.
struct alignas(16) ViewTap {
  int first = 0;
  int second = 0;
  int first_weight = 0;
  int second_weight = 0;
};

/// A frame of a view. Pointers are the device's.
struct ViewFrame {
  const std::uint8_t* data = nullptr;    ///< RGB pixels or luma
  const std::uint8_t* chroma = nullptr;  ///< null for RGB
  std::int64_t stride = 0;
  std::int64_t chroma_stride = 0;
  const ViewTap* columns = nullptr;  ///< (W) and (H) taps of the crop: those of the resized frame from its
  const ViewTap* rows = nullptr;     ///< first column and row on
  YuvToRgb conversion;
};

/// A batch of views to be made. Pointers are the device's.
struct ViewTask {
  const ViewFrame* frames = nullptr;  ///< (views, T)
  const std::byte* values = nullptr;  ///< (3, 256) of dtype: what a pixel value of each channel becomes
  std::byte* out = nullptr;           ///< (views, T, H, W) pixels of 8 channels, the last five zeros
  DType dtype = DType::f32;
  std::int64_t pixel_stride = 0;  ///< of `out`, elements
  int count = 0;                  ///< views * T
  int height = 0;
  int width = 0;
};

/// Reads memory as a function does with an address.
struct PlainLoad {
  template <class T>
  TPN_HOST_DEVICE T operator()(const T* from) const {
    return *from;
  }
};

/// The pixel of the frame at row y, column x.
template <bool nv12, class Load>
TPN_HOST_DEVICE inline Rgb decoded_pixel(const ViewFrame& frame, int y, int x, Load load) {
  if constexpr (nv12) {
    const std::uint8_t* chroma = frame.chroma + (y / 2) * frame.chroma_stride + (x - x % 2);
    return to_rgb(frame.conversion, load(frame.data + y * frame.stride + x), load(chroma), load(chroma + 1));
  } else {
    const std::uint8_t* pixel = frame.data + y * frame.stride + std::int64_t{3} * x;
    return {load(pixel), load(pixel + 1), load(pixel + 2)};
  }
}

/// The pixel of the resized frame with these taps. Pixels without weight are not read.
template <bool nv12, class Load>
TPN_HOST_DEVICE inline Rgb resized_pixel(const ViewFrame& frame, const ViewTap& row, const ViewTap& column,
                                         Load load) {
  const auto mixed_row = [&](int y) {
    const Rgb first = decoded_pixel<nv12>(frame, y, column.first, load);
    Rgb mixed{column.first_weight * first.red, column.first_weight * first.green,
              column.first_weight * first.blue};
    if (column.second_weight != 0) {
      const Rgb second = decoded_pixel<nv12>(frame, y, column.second, load);
      mixed.red += column.second_weight * second.red;
      mixed.green += column.second_weight * second.green;
      mixed.blue += column.second_weight * second.blue;
    }
    return Rgb{mixed.red >> 4, mixed.green >> 4, mixed.blue >> 4};
  };
  const Rgb upper = mixed_row(row.first);
  Rgb sum{row.first_weight * upper.red >> 16, row.first_weight * upper.green >> 16,
          row.first_weight * upper.blue >> 16};
  if (row.second_weight != 0) {
    const Rgb lower = mixed_row(row.second);
    sum.red += row.second_weight * lower.red >> 16;
    sum.green += row.second_weight * lower.green >> 16;
    sum.blue += row.second_weight * lower.blue >> 16;
  }
  return {(sum.red + 2) >> 2, (sum.green + 2) >> 2, (sum.blue + 2) >> 2};
}

}  // namespace tpn
