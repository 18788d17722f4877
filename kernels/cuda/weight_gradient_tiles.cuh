// How a block of threads brings its part of a weight's gradient into shared memory, 16 bytes at a time:
// shared by the kernels on tensor cores and on the f32 units.
//
//   dweight[o][k] = sum over m of dy[m][o] a[m][k]      for each group, k and a as in conv_problem.h
//
// Depth here is the positions m: rows of dy and of the gathered x lie in memory with their channels
// contiguous, so that in shared memory a step is `Depth` rows of dy, of Rows output channels each, and as
// many of a, of Columns elements of k.
#pragma once

#include "kernels/cuda/conv_positions.cuh"
#include "kernels/cuda/conv_tiles.cuh"

namespace tpn::cuda {

/// Where a step's position begins to read x.
struct alignas(8) PositionOrigin {
  std::int32_t pixel;  ///< of tap (0,0,0); may lie outside
  std::uint32_t taps;  ///< those inside; none past the last position
};

/// Which bits of a chunk's number are flipped in the row of a position: then what a warp reads of several
/// rows at once, the same chunk of eight (ldmatrix), or the same two chunks of four (single f32), lies in
/// different banks.
template <class T>
__device__ __forceinline__ int position_swizzle(int position) {
  return sizeof(T) == 2 ? position % 8 : position % 4 * 2;
}

/// Brings tiles of both operands from global to shared memory, asynchronously. Chunk c of a position's row
/// lies at the place of chunk c ^ position_swizzle(position). T: an element in memory.
template <class T, int Rows, int Columns, int Depth, int Stages, int Threads>
class WeightGradientLoader {
 public:
  static constexpr int y_row_bytes = Rows * static_cast<int>(sizeof(T));
  static constexpr int x_row_bytes = Columns * static_cast<int>(sizeof(T));
  /// Of one step: the tile of dy, then that of x.
  static constexpr int y_bytes = Depth * y_row_bytes;
  static constexpr int step_bytes = Depth * (y_row_bytes + x_row_bytes);
  /// Of the table of origins, in shared memory.
  static constexpr int table_entries = Stages * Depth;

  /// By all threads of the block: ends with a barrier.
  __device__ __forceinline__ WeightGradientLoader(const WeightGradientProblem& p, const ConvBlock& block,
                                                  int thread, PositionOrigin* table)
      : sizes_(p.sizes), table_(table), thread_(thread), step_(block.first_step), noted_(step_ + Stages) {
    const ConvSizes& s = p.sizes;
#pragma unroll 1
    for (int i = thread; i < table_entries; i += Threads)
      note_origin(i / Depth, step_ + i / Depth, i % Depth);

    const int y_chunk = thread % y_chunks, x_chunk = thread % x_chunks;
    y_first_ = thread / y_chunks;
    x_first_ = thread / x_chunks;
    y_target_ = y_first_ * y_row_bytes + (y_chunk ^ position_swizzle<T>(y_first_)) * 16;
    x_target_ = y_bytes + x_first_ * x_row_bytes + (x_chunk ^ position_swizzle<T>(x_first_)) * 16;

    const int channel = block.row + y_chunk * vector_size<T>;
    y_valid_ = channel < s.columns;
    y_step_bytes_ = static_cast<int>(s.y_stride) * static_cast<int>(sizeof(T));
    y_ = reinterpret_cast<const unsigned char*>(static_cast<const T*>(p.dy) + block.group * s.columns +
                                                channel) +
         (static_cast<std::int64_t>(step_) * Depth + y_first_) * y_step_bytes_;

    const int chunk = block.column / vector_size<T> + x_chunk;
    const ConvChunk gathered = chunk < s.row_elements / vector_size<T> ? p.chunks[chunk] : ConvChunk{};
    needs_ = gathered.needs;
    x_step_bytes_ = static_cast<int>(s.x_stride) * static_cast<int>(sizeof(T));
    x_ = reinterpret_cast<const unsigned char*>(static_cast<const T*>(p.x) +
                                                static_cast<std::int64_t>(block.group) * s.group_channels) +
         gathered.offset;
    __syncthreads();
  }

  /// Starts the copies of the next step into `shared`, step_bytes there.
  __device__ __forceinline__ void load(unsigned char* shared) {
    const int position = step_ * Depth + y_first_;
#pragma unroll
    for (int i = 0; i < y_passes; ++i) {
      cp_async_16(shared + y_target_ + i * y_pass * y_row_bytes, y_ + i * y_pass * y_step_bytes_,
                  y_valid_ && position + i * y_pass < sizes_.rows);
    }
    y_ += Depth * y_step_bytes_;
    const PositionOrigin* origins = table_ + slot_ * Depth + x_first_;
#pragma unroll
    for (int i = 0; i < x_passes; ++i) {
      const auto [pixel, taps] = origins[i * x_pass];
      cp_async_16(shared + x_target_ + i * x_pass * x_row_bytes,
                  x_ + static_cast<std::int64_t>(pixel) * x_step_bytes_, (taps & needs_) == needs_);
    }
    ++step_;
    slot_ = slot_ + 1 == Stages ? 0 : slot_ + 1;
    // The first `Stages` steps were noted at the start; each later one is, a barrier before it is loaded.
    if (step_ >= noted_ && thread_ < Depth) note_origin(slot_, step_, thread_);
  }

 private:
  static constexpr int y_chunks = y_row_bytes / 16, x_chunks = x_row_bytes / 16;
  static constexpr int y_pass = Threads / y_chunks, x_pass = Threads / x_chunks;  ///< positions at once
  static constexpr int swizzled_positions = sizeof(T) == 2 ? 8 : 4;               ///< before it repeats
  static constexpr int y_passes = Depth / y_pass, x_passes = Depth / x_pass;
  static_assert(y_row_bytes % 128 == 0 && x_row_bytes % 128 == 0 && Depth <= Threads);
  static_assert(Depth % y_pass == 0 && Depth % x_pass == 0);
  static_assert(y_pass % swizzled_positions == 0 && x_pass % swizzled_positions == 0);

  __device__ __forceinline__ void note_origin(int slot, int step, int at) {
    const int position = step * Depth + at;
    PositionOrigin noted{0, 0};
    if (position < sizes_.rows) {
      const ConvOrigin origin = conv_origin(sizes_, position);
      noted = {static_cast<std::int32_t>(origin.pixel), origin.taps};
    }
    table_[slot * Depth + at] = noted;
  }

  const ConvSizes& sizes_;
  PositionOrigin* table_;
  const unsigned char* x_;
  const unsigned char* y_;
  std::uint32_t needs_;  ///< of the thread's chunk of x
  int thread_;
  int y_first_, x_first_;  ///< positions of the thread's first chunks
  int y_target_, x_target_;
  int y_step_bytes_, x_step_bytes_;  ///< from pixel to pixel
  bool y_valid_;
  int step_;      ///< to be loaded next
  int noted_;     ///< the first that the table does not have from the start
  int slot_ = 0;  ///< of step_ in the table
};

/// Where a split leaves its sum for output channel `row` of the group and element `column` of k.
__device__ __forceinline__ float* partial_sum(const WeightGradientProblem& p, const ConvBlock& block, int row,
                                              int column) {
  const ConvSizes& s = p.sizes;
  const std::int64_t rows = (static_cast<std::int64_t>(block.split) * s.groups + block.group) * s.columns;
  return p.partial + (rows + row) * s.row_elements + column;
}

}  // namespace tpn::cuda
