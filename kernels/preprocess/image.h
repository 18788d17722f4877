// 8-bit RGB images: what video decoders give and what preprocessing works on.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "kernels/memory.h"

namespace tpn {

/// Pixels of an image; not negative.
struct ImageSize {
  int width = 0;
  int height = 0;

  bool operator==(const ImageSize&) const = default;
};

/// An interleaved RGB image (height, width, 3) somewhere in memory, owned by someone else. `stride` is the
/// distance of rows in bytes, at least 3 * width.
template <class Byte>
struct BasicImageView {
  Byte* data = nullptr;
  ImageSize size;
  std::ptrdiff_t stride = 0;

  [[nodiscard]] Byte* row(int y) const { return data + y * stride; }

  // NOLINTNEXTLINE(google-explicit-constructor): every mutable view is a read-only one
  template <std::same_as<const Byte> Other>
  operator BasicImageView<Other>() const {
    return {data, size, stride};
  }
};
using ImageView = BasicImageView<const std::uint8_t>;
using MutableImageView = BasicImageView<std::uint8_t>;

/// Owns a dense RGB image, not initialised. A view stays valid when its image is moved.
class Image {
 public:
  Image() = default;
  explicit Image(ImageSize size)
      : size_(size),
        pixels_(static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height) * 3) {}

  [[nodiscard]] ImageSize size() const { return size_; }
  [[nodiscard]] MutableImageView view() {
    return {reinterpret_cast<std::uint8_t*>(pixels_.data()), size_, std::ptrdiff_t{3} * size_.width};
  }
  [[nodiscard]] ImageView view() const {
    return {reinterpret_cast<const std::uint8_t*>(pixels_.data()), size_, std::ptrdiff_t{3} * size_.width};
  }

 private:
  ImageSize size_;
  HostBuffer pixels_;
};

}  // namespace tpn
