// How a block of threads finds its tile of a convolution and brings it into shared memory, 16 bytes at a
// time: shared by the kernels on tensor cores and on the f32 units.
#pragma once

#include "kernels/cuda/conv_problem.h"
#include "kernels/cuda/device.cuh"

namespace tpn::cuda {

/// A block's part of the product.
struct ConvBlock {
  int row, column;  ///< of its first element
  int group, split;
  int first_step, steps;  ///< along the depth
};

template <int Rows, int Columns>
__device__ __forceinline__ ConvBlock conv_block(const ConvSchedule& s) {
  const int band_tiles = s.band * s.column_tiles;
  const int tile = static_cast<int>(blockIdx.x);
  const int band_begin = tile / band_tiles * s.band;
  const int band = min(s.row_tiles - band_begin, s.band);
  const int in_band = tile % band_tiles;
  ConvBlock block{};
  block.row = (band_begin + in_band % band) * Rows;
  block.column = in_band / band * Columns;
  block.group = static_cast<int>(blockIdx.y);
  block.split = static_cast<int>(blockIdx.z);
  block.first_step = block.split * s.split_steps;
  block.steps = min(s.split_steps, s.steps - block.first_step);
  return block;
}

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

/// Brings tiles of both operands from global to shared memory, asynchronously. A tile is `Rows` (or
/// `Columns`) rows of Bytes bytes, of which chunk c of row r lies at the place of chunk c ^ swizzle(r): then
/// the same chunk of eight consecutive rows lies in eight different groups of banks. T: an element in memory.
template <class T, int Rows, int Columns, int Bytes, int Threads>
class ConvLoader {
 public:
  static constexpr int row_chunks = Bytes / 16;
  static constexpr int pass_rows = Threads / row_chunks;  ///< that the block fetches at once
  static_assert(Bytes == 64 || Bytes == 128);
  static_assert(Rows % pass_rows == 0 && Columns % pass_rows == 0 && pass_rows % 8 == 0);
  /// Of one step: the tile of x, then that of the weights.
  static constexpr int x_bytes = Rows * Bytes;
  static constexpr int step_bytes = (Rows + Columns) * Bytes;

  /// Which bits of the chunk's number are flipped in a row.
  __device__ static __forceinline__ int swizzle(int row) { return Bytes == 128 ? row % 8 : row / 2 % 4; }

  /// Row r of the tile of weights is row weight_row(r), counted from the block's column, where r and
  /// r + pass_rows are `weight_step` rows apart.
  template <class WeightRow>
  __device__ __forceinline__ ConvLoader(const ConvProblem& p, const ConvBlock& block, int thread,
                                        const WeightRow& weight_row, int weight_step) {
    const ConvSizes& s = p.sizes;
    const int chunk = thread % row_chunks;
    const int first = thread / row_chunks;
    target_ = first * Bytes + (chunk ^ swizzle(first)) * 16;
    next_chunk_ = p.chunks + block.first_step * row_chunks + chunk;
    chunk_ = *next_chunk_;

    // Rows are kept as distances from the block's first row, which is the same for all threads.
    const std::int64_t base = conv_origin(s, block.row).pixel;
    const std::int64_t first_channel = static_cast<std::int64_t>(block.group) * s.group_channels;
    x_ = reinterpret_cast<const unsigned char*>(static_cast<const T*>(p.x) + base * s.x_stride +
                                                first_channel);
#pragma unroll
    for (int i = 0; i < x_passes; ++i) {
      const int row = block.row + first + i * pass_rows;
      offset_[i] = 0;
      taps_[i] = 0;
      if (row < s.rows) {
        const ConvOrigin origin = conv_origin(s, row);
        offset_[i] = static_cast<int>((origin.pixel - base) * s.x_stride * static_cast<int>(sizeof(T)));
        taps_[i] = origin.taps;
      }
    }
    const int column = block.column + weight_row(first);
    const std::int64_t weights =
        (static_cast<std::int64_t>(block.group) * s.columns + column) * s.row_elements;
    weights_ = reinterpret_cast<const unsigned char*>(static_cast<const T*>(p.weights) + weights) +
               (block.first_step * row_chunks + chunk) * 16;
    columns_left_ = s.columns - column;
    weight_step_ = weight_step;
    weight_step_bytes_ = weight_step * s.row_elements * static_cast<int>(sizeof(T));
  }

  /// Starts the copies of the next step into `shared`, step_bytes there.
  __device__ __forceinline__ void load(unsigned char* shared) {
    unsigned char* to = shared + target_;
#pragma unroll
    for (int i = 0; i < x_passes; ++i) {
      cp_async_16(to + i * pass_rows * Bytes, x_ + (offset_[i] + chunk_.offset),
                  (taps_[i] & chunk_.needs) == chunk_.needs);
    }
#pragma unroll
    for (int i = 0; i < weight_passes; ++i) {
      cp_async_16(to + x_bytes + i * pass_rows * Bytes, weights_ + i * weight_step_bytes_,
                  i * weight_step_ < columns_left_);
    }
    weights_ += Bytes;
    next_chunk_ += row_chunks;
    chunk_ = *next_chunk_;  // a step ahead, so that nothing waits for it
  }

 private:
  static constexpr int x_passes = Rows / pass_rows;
  static constexpr int weight_passes = Columns / pass_rows;

  const unsigned char* x_;
  const unsigned char* weights_;
  const ConvChunk* next_chunk_;
  ConvChunk chunk_;
  int target_;
  int offset_[x_passes];  ///< bytes
  std::uint32_t taps_[x_passes];
  int columns_left_;  ///< from the thread's first
  int weight_step_, weight_step_bytes_;
};

}  // namespace tpn::cuda
