// Channels of a pixel in f32, a block at a time, for loops over tensors of f32 or bf16: conversions are loops
// of their own, and what is between them reads and writes no 16-bit elements and little that could overlap,
// so that compilers make full vectors of each.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/half.h"

namespace tpn::cpu {

struct FloatBlock {
  static constexpr std::int64_t size = 64;

  template <class T>
  [[gnu::always_inline]] void load(const T* from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(from[i]);
  }
  template <class T>
  [[gnu::always_inline]] void store(T* to, std::int64_t count) const {
    for (std::int64_t i = 0; i < count; ++i) to[i] = T(values[i]);
  }

  alignas(64) float values[size];  // NOLINT(modernize-avoid-c-arrays): indexed without a call
};

/// Walks rows of channels: body(first element, first channel, count) for each block.
template <class Body>
[[gnu::always_inline]] inline void for_each_block(std::int64_t pixels, std::int64_t channels,
                                                  const Body& body) {
  for (std::int64_t i = 0; i < pixels; ++i) {
    for (std::int64_t c = 0; c < channels; c += FloatBlock::size) {
      body(i * channels + c, c, std::min(FloatBlock::size, channels - c));
    }
  }
}

}  // namespace tpn::cpu
