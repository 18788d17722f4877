// Frames of random pixels for tests of preprocessing.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "kernels/preprocess/frame_store.h"

namespace tpn::test {

inline constexpr FrameFormat all_frame_formats[]{FrameFormat::rgb, FrameFormat::nv12_bt601,
                                                 FrameFormat::nv12_bt601_full, FrameFormat::nv12_bt709,
                                                 FrameFormat::nv12_bt709_full};

/// Frames one after the other. `gap` bytes lie between rows.
class RawFrames {
 public:
  RawFrames(const FrameLayout& layout, std::size_t count, std::uint32_t seed, std::ptrdiff_t gap = 0)
      : layout_(layout) {
    std::mt19937 generator(seed);
    const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(layout.row_bytes()) + gap;
    const std::ptrdiff_t chroma_stride = static_cast<std::ptrdiff_t>(layout.chroma_row_bytes()) + gap;
    const std::ptrdiff_t chroma = stride * layout.size.height;
    const std::ptrdiff_t bytes = chroma + chroma_stride * static_cast<std::ptrdiff_t>(layout.chroma_rows());
    pixels_.resize(count * static_cast<std::size_t>(bytes));
    for (std::uint8_t& pixel : pixels_) pixel = static_cast<std::uint8_t>(generator() >> 24);
    const bool rgb = layout.format == FrameFormat::rgb;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t* data = pixels_.data() + static_cast<std::ptrdiff_t>(i) * bytes;
      views_.push_back(
          {layout.format, layout.size, data, stride, rgb ? nullptr : data + chroma, chroma_stride});
    }
  }

  [[nodiscard]] const std::vector<std::uint8_t>& pixels() const { return pixels_; }
  [[nodiscard]] const std::vector<FrameView>& views() const { return views_; }
  /// Copies without gaps.
  [[nodiscard]] FrameStore store(const AllocateFrames& allocate = {}) const {
    FrameStore store(layout_, views_.size(), allocate);
    for (std::size_t i = 0; i < views_.size(); ++i) store.set(i, views_[i]);
    return store;
  }

 private:
  FrameLayout layout_;
  std::vector<std::uint8_t> pixels_;
  std::vector<FrameView> views_;
};

/// The frame in RGB.
inline Image rgb_of(const FrameView& frame) {
  Image image(frame.size);
  convert_to_rgb(frame, image.view());
  return image;
}

}  // namespace tpn::test
