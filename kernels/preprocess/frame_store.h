// Memory that holds the frames of a video.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/memory.h"
#include "kernels/preprocess/frame.h"

namespace tpn {

/// Memory for frames, at least so many bytes, aligned to 64.
using AllocateFrames = std::function<std::shared_ptr<const Buffer>(std::size_t bytes)>;

/// Owns frames of one layout, not initialised. Views of them stay valid when it is moved.
class FrameStore {
 public:
  FrameStore() = default;
  /// Without `allocate` the memory is the host's own. Throws OutOfMemory.
  FrameStore(const FrameLayout& layout, std::size_t count, const AllocateFrames& allocate = {})
      : layout_(layout), count_(count) {
    const std::size_t bytes = count * step();
    memory_ = allocate ? allocate(bytes) : std::make_shared<const HostBuffer>(bytes);
  }

  [[nodiscard]] const FrameLayout& layout() const { return layout_; }
  [[nodiscard]] std::size_t size() const { return count_; }
  /// From one frame to the next, bytes.
  [[nodiscard]] std::size_t step() const { return (layout_.bytes() + 63) / 64 * 64; }

  [[nodiscard]] std::byte* data(std::size_t i) { return memory_->data() + i * step(); }
  [[nodiscard]] const std::byte* data(std::size_t i) const { return memory_->data() + i * step(); }
  [[nodiscard]] FrameView operator[](std::size_t i) const { return layout_.at(data(i)); }

  /// A frame in RGB, to be written.
  [[nodiscard]] MutableImageView image(std::size_t i) {
    return {reinterpret_cast<std::uint8_t*>(data(i)), layout_.size,
            static_cast<std::ptrdiff_t>(layout_.row_bytes())};
  }
  /// Copies a frame of this layout's format and size, whatever its strides.
  void set(std::size_t i, const FrameView& frame) {
    auto* to = reinterpret_cast<std::uint8_t*>(data(i));
    for (int y = 0; y < layout_.size.height; ++y, to += layout_.row_bytes()) {
      std::copy_n(frame.data + y * frame.stride, layout_.row_bytes(), to);
    }
    if (layout_.format == FrameFormat::rgb) return;
    for (std::size_t y = 0; y < layout_.chroma_rows(); ++y, to += layout_.chroma_row_bytes()) {
      std::copy_n(frame.chroma + static_cast<std::ptrdiff_t>(y) * frame.chroma_stride,
                  layout_.chroma_row_bytes(), to);
    }
  }

 private:
  FrameLayout layout_;
  std::size_t count_ = 0;
  std::shared_ptr<const Buffer> memory_;
};

}  // namespace tpn
