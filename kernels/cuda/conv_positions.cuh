// Where rows of a convolution's product lie: output positions in y, and what they read in x.
#pragma once

#include "kernels/cuda/conv_problem.h"
#include "kernels/cuda/device.cuh"

namespace tpn::cuda {

/// Where a row's taps begin and which of them are inside.
struct ConvOrigin {
  std::int64_t pixel;  ///< of tap (0,0,0) in x; may lie outside where that tap does
  std::uint32_t taps;
};

/// The taps i < taps with 0 <= first + i < extent, as bits.
__device__ __forceinline__ std::uint32_t inside(int first, int taps, int extent) {
  const int begin = max(0, -first);
  const int end = min(taps, extent - first);
  return end > begin ? (1U << end) - (1U << begin) : 0U;
}

/// Divides `value`, at least 0, and returns the remainder.
__device__ __forceinline__ int divide(int& value, const Divider& by) {
  const int dividend = value;
  value = static_cast<int>(static_cast<std::uint64_t>(value) * by.multiplier >> by.shift);
  return dividend - value * by.divisor;
}

/// row: below s.rows.
__device__ __forceinline__ ConvOrigin conv_origin(const ConvSizes& s, int row) {
  const int w = divide(row, s.out_w) * s.stride.w - s.padding.w;
  const int h = divide(row, s.out_h) * s.stride.h - s.padding.h;
  const int t = divide(row, s.out_t) * s.stride.t - s.padding.t;
  const int n = row;
  return {((static_cast<std::int64_t>(n) * s.in.t + t) * s.in.h + h) * s.in.w + w,
          inside(t, s.kernel.t, s.in.t) | inside(h, s.kernel.h, s.in.h) << tap_bits |
              inside(w, s.kernel.w, s.in.w) << (2 * tap_bits)};
}

/// The pixel of y that row `row`, below s.rows, is.
__device__ __forceinline__ int y_pixel(const ConvSizes& s, int row) {
  const ConvScatter& to = s.scatter;
  if (!to.used) return row;
  const int w = to.first.w + divide(row, s.out_w) * to.step.w;
  const int h = to.first.h + divide(row, s.out_h) * to.step.h;
  const int t = to.first.t + divide(row, s.out_t) * to.step.t;
  return ((row * to.extent.t + t) * to.extent.h + h) * to.extent.w + w;
}

}  // namespace tpn::cuda
