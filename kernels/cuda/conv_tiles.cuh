// How a block of threads finds its tile of a convolution and brings it into shared memory, 16 bytes at a
// time: shared by the kernels on tensor cores and on the f32 units.
#pragma once

#include "kernels/cuda/conv_positions.cuh"

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
