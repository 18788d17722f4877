// Where the elements of a kernel's operands lie in device memory, checked when the kernel is compiled.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/backend.h"

namespace tpn::cuda {

/// Channels of a pixel are stored in multiples of this.
inline constexpr int channel_alignment = 8;

/// An activation tensor (N,T,H,W,C). Every extent, and the number of 16-byte vectors, is below 2^31, so that
/// kernels count in 32 bits; offsets in elements take 64.
struct ActivationLayout {
  int n = 0, t = 0, h = 0, w = 0, c = 0;
  std::int64_t stride = 0;  ///< elements from a pixel to the next

  /// Channels that are stored: C rounded up; those past C are zeros.
  [[nodiscard]] int padded_channels() const { return (c + channel_alignment - 1) & -channel_alignment; }
  [[nodiscard]] int frame_pixels() const { return h * w; }
  [[nodiscard]] int pixels() const { return n * t * h * w; }
  /// Bytes of all its channels, with padding.
  [[nodiscard]] std::int64_t bytes(std::size_t element) const {
    return std::int64_t{pixels()} * padded_channels() * static_cast<std::int64_t>(element);
  }
};

/// Throws Error, naming the operation, when a kernel cannot address the operand.
ActivationLayout activation_layout(std::string_view op, const Operand& operand);

/// Elements of an activation tensor with those of the padding; throws Error when there are 2^31 or more.
std::int64_t element_count(std::string_view op, const ActivationLayout& layout);

/// A dense f32 matrix (rows, columns) with fewer than 2^31 elements.
struct MatrixLayout {
  int rows = 0, columns = 0;

  [[nodiscard]] std::int64_t bytes() const { return std::int64_t{4} * rows * columns; }
};

/// Throws Error, naming the operation, when a kernel cannot address the operand.
MatrixLayout matrix_layout(std::string_view op, const Operand& operand);

}  // namespace tpn::cuda
