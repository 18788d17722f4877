// What it takes to try kernels on the device: random activations, and a comparison of two outputs.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/backend.h"

namespace tpn::cuda {

/// An activation in device memory, or a dense tensor seen as one.
struct TrialTensor {
  std::byte* data = nullptr;
  DType dtype = DType::f32;
  std::int64_t pixels = 0;
  std::int64_t channels = 0;
  std::int64_t stride = 0;  ///< elements from pixel to pixel

  /// Channels that are stored: those past `channels` are zeros.
  [[nodiscard]] std::int64_t padded() const { return std::min(stride, (channels + 7) / 8 * 8); }
  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(pixels * stride) * size_of(dtype);
  }
};

/// Enqueues writing numbers of mean 0 and variance 1, with zeros as padding; what lies between one pixel's
/// channels and the next pixel becomes NaN. Pixels repeat after `period` of them.
void fill_random(const TrialTensor& x, std::int64_t period, std::uint32_t seed, Stream& stream);
/// Enqueues writing numbers between `low` and `high` to `count` elements: parameters.
void fill_random(float* x, std::int64_t count, float low, float high, std::uint32_t seed, Stream& stream);
/// Enqueues writing NaN everywhere.
void fill_nan(const TrialTensor& x, Stream& stream);

struct Comparison {
  double relative_error = 0;  ///< L2; NaN when a NaN is among the channels
  std::int64_t strays = 0;  ///< elements of padding that are not zero, and others than fill_nan() left there
};

/// Compares y, filled with NaN and then written, with a reference that repeats after its own pixels. Waits.
Comparison compare(const TrialTensor& y, const TrialTensor& reference, Stream& stream);

}  // namespace tpn::cuda
