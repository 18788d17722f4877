#include "kernels/preprocess/resize_linear.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

namespace tpn::cpu {

LinearResizer::LinearResizer(ImageSize source, ImageSize size) : source_(source), size_(size) {
  check_resize(source, size);
  if (source == size || halves(source, size)) return;
  columns_ = linear_taps(size.width, source.width, TapBorder::border_pixel);
  rows_ = linear_taps(size.height, source.height, TapBorder::border_pixel_twice);
  row_cache_.resize(std::size_t{6} * static_cast<std::size_t>(size.width));
}

void LinearResizer::run(const ImageView& source, const MutableImageView& out) {
  if (source.size != source_ || out.size != size_)
    throw Error("An image does not have the size of its resizer.");
  if (source_ == size_) {
    for (int y = 0; y < size_.height; ++y)
      std::memcpy(out.row(y), source.row(y), std::size_t{3} * size_.width);
  } else if (halves(source_, size_)) {
    halve(source, out);
  } else {
    interpolate(source, out);
  }
}

void LinearResizer::halve(const ImageView& source, const MutableImageView& out) const {
  for (int y = 0; y < size_.height; ++y) {
    const std::uint8_t* upper = source.row(2 * y);
    const std::uint8_t* lower = source.row(2 * y + 1);
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < size_.width; ++x, upper += 6, lower += 6, to += 3) {
      for (int c = 0; c < 3; ++c) {
        to[c] = static_cast<std::uint8_t>((upper[c] + upper[c + 3] + lower[c] + lower[c + 3] + 2) >> 2);
      }
    }
  }
}

// The values of a row are at most 255 * 2048 >> 4 = 32640, so that 16 bits hold what the vertical step reads.
void LinearResizer::mix_columns(const std::uint8_t* source, std::int16_t* row) const {
  for (const LinearTap& tap : columns_) {
    const std::uint8_t* first = source + std::ptrdiff_t{3} * tap.first;
    const std::uint8_t* second = source + std::ptrdiff_t{3} * tap.second;
    for (int c = 0; c < 3; ++c) {
      row[c] = static_cast<std::int16_t>((first[c] * tap.first_weight + second[c] * tap.second_weight) >> 4);
    }
    row += 3;
  }
}

void LinearResizer::interpolate(const ImageView& source, const MutableImageView& out) {
  const std::size_t values = std::size_t{3} * static_cast<std::size_t>(size_.width);
  // Source rows are needed in ascending order, so the last two that were mixed are all there is to keep.
  std::array<std::int16_t*, 2> cached{row_cache_.data(), row_cache_.data() + values};
  std::array<int, 2> cached_index{-1, -1};
  const auto mixed = [&](int index, std::size_t keep) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (cached_index[i] == index) return i;
    }
    const std::size_t slot = 1 - keep;
    mix_columns(source.row(index), cached[slot]);
    cached_index[slot] = index;
    return slot;
  };
  for (int y = 0; y < size_.height; ++y) {
    const LinearTap& tap = rows_[static_cast<std::size_t>(y)];
    const std::size_t first_slot = mixed(tap.first, cached_index[0] > cached_index[1] ? 0 : 1);
    const std::size_t second_slot = mixed(tap.second, first_slot);
    const std::int16_t* first = cached[first_slot];
    const std::int16_t* second = cached[second_slot];
    std::uint8_t* to = out.row(y);
    for (std::size_t i = 0; i < values; ++i) {
      const int upper = tap.first_weight * first[i] >> 16;
      const int lower = tap.second_weight * second[i] >> 16;
      to[i] = static_cast<std::uint8_t>((upper + lower + 2) >> 2);
    }
  }
}

}  // namespace tpn::cpu
