#include "kernels/preprocess/normalize_crop.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace tpn::cpu {
namespace {

/// Every result there is: (channel, pixel value). Looking it up is exact, and cheaper than the division.
template <class T>
using Table = std::array<std::array<T, 256>, 3>;

template <class T, class Convert>
Table<T> make_table(const NormalizeCrop& attributes, Convert convert) {
  Table<T> table;
  for (int c = 0; c < 3; ++c) {
    for (int x = 0; x < 256; ++x) {
      const float value = normalized_value(attributes, c, static_cast<std::uint8_t>(x));
      table[static_cast<std::size_t>(c)][static_cast<std::size_t>(x)] = convert(value);
    }
  }
  return table;
}

/// One row of `width` pixels into (width, channels).
template <class T>
inline void write_pixels(const Table<T>& table, const std::uint8_t* pixel, std::int64_t width,
                         std::int64_t channels, T* out) {
  for (std::int64_t x = 0; x < width; ++x, pixel += 3, out += channels) {
    out[0] = table[0][pixel[0]];
    out[1] = table[1][pixel[1]];
    out[2] = table[2][pixel[2]];
    for (std::int64_t c = 3; c < channels; ++c) out[c] = T{0};
  }
}

/// The same; naming the usual channel counts lets the compiler merge the stores of a pixel.
template <class T>
void write_row(const Table<T>& table, const std::uint8_t* pixel, std::int64_t width, std::int64_t channels,
               T* out) {
  if (channels == 3) return write_pixels(table, pixel, width, 3, out);
  if (channels == 4) return write_pixels(table, pixel, width, 4, out);
  write_pixels(table, pixel, width, channels, out);
}

template <class T>
void write_view(const Table<T>& table, const NormalizeCrop& attributes, std::span<const ImageView> frames,
                const TensorView& out) {
  const std::int64_t height = out.shape[1];
  const std::int64_t width = out.shape[2];
  const std::int64_t channels = out.shape[3];
  T* to = elements<T>(out);
  for (const ImageView& frame : frames) {
    for (int y = 0; y < height; ++y, to += width * channels) {
      const std::uint8_t* from = frame.row(attributes.top + y) + std::ptrdiff_t{3} * attributes.left;
      write_row(table, from, width, channels, to);
    }
  }
}

}  // namespace

void normalize_crop(const NormalizeCrop& attributes, std::span<const ImageView> frames,
                    const TensorView& out) {
  check_normalize_crop(attributes, frames, out);
  if (out.dtype == DType::f32) {
    write_view(make_table<float>(attributes, [](float x) { return x; }), attributes, frames, out);
  } else {
    const auto convert = out.dtype == DType::f16 ? f32_to_f16 : f32_to_bf16;
    write_view(make_table<std::uint16_t>(attributes, convert), attributes, frames, out);
  }
}

}  // namespace tpn::cpu
