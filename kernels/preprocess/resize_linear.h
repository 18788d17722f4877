// The fast CPU version of kernels/ops/resize_linear.h.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/ops/resize_linear.h"

namespace tpn::cpu {

/// Resizes images of one size to another. Building it computes the weights; one object may be used for any
/// number of images, by one thread at a time.
class LinearResizer {
 public:
  /// Throws Error when a side is not positive.
  LinearResizer(ImageSize source, ImageSize size);

  [[nodiscard]] ImageSize source_size() const { return source_; }
  [[nodiscard]] ImageSize size() const { return size_; }

  /// Equals resize_linear_reference bit for bit. The images must have source_size() and size(), and not
  /// overlap.
  void run(const ImageView& source, const MutableImageView& out);

 private:
  void halve(const ImageView& source, const MutableImageView& out) const;
  void interpolate(const ImageView& source, const MutableImageView& out);
  void mix_columns(const std::uint8_t* source, std::int16_t* row) const;

  ImageSize source_;
  ImageSize size_;
  std::vector<LinearTap> columns_;
  std::vector<LinearTap> rows_;
  std::vector<std::int16_t> row_cache_;  // two rows (2, 3 * width), 7 fractional bits
};

}  // namespace tpn::cpu
