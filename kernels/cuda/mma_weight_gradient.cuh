// The gradient of a convolution's weight as an implicit matrix product on tensor cores (mma.sync, from
// compute capability 8.0).
//
// What: dweight[o][k] = sum over positions m of dy[m][o] a[m][k], see weight_gradient_tiles.cuh; f16, bf16,
// or f32 rounded to tf32, sums in f32. Why this way: what the forward pass gathers as rows of its product is
// gathered here too, from the same table, so that every convolution has its weight's gradient by one kernel.
// Both operands lie in memory with the depth of this product, the positions, outermost, as no product wants
// them; ldmatrix turns 16-bit ones on the way to the registers, where single loads turn those of 32 bits.
// How: as mma_conv3d.cuh: a ring of steps filled by cp.async, warp tiles, one barrier a step. A position's
// origin in x and its taps inside are computed once for the block, by one thread, and kept in shared memory.
// The depth is split over blocks until the machine is full; each leaves its sums in `partial`, in the order
// of k, and weight_gradient_sum.cu adds them in a fixed order.
//
// Work: output channels x k x positions products. From L2 each row of tiles reads all gathered x, each column
// of tiles all dy: positions x (channels / Rows x k + k / Columns x channels) elements.
#pragma once

#include <array>

#include "kernels/cuda/mma_tile.cuh"
#include "kernels/cuda/weight_gradient_tiles.cuh"
#include "kernels/cuda/weight_gradient_variants.h"

namespace tpn::cuda {

/// Positions of a step.
template <class Element, class Tile>
inline constexpr int step_positions = Tile::depth_bytes / static_cast<int>(sizeof(Element));

/// Reads fragments of a warp's tile of 16-bit elements. The matrices of one ldmatrix_x4_transposed are 8
/// positions by 16 bytes of channels: for rows (channels 0-7, 8-15) of the first 8 positions and then of the
/// next, for columns both 8 positions of the first 8 elements and then of the next.
template <class Tile, class Loader>
class PairReader {
 public:
  __device__ __forceinline__ PairReader(int lane, int warp_row, int warp_column) {
    const int matrix = lane / 8;
    row_ = (matrix / 2 * 8 + lane % 8) * Loader::y_row_bytes;
    row_chunk_ = (warp_row / 8 + matrix % 2) ^ lane % 8;
    column_ = Loader::y_bytes + (matrix % 2 * 8 + lane % 8) * Loader::x_row_bytes;
    column_chunk_ = (warp_column / 8 + matrix / 2) ^ lane % 8;
  }

  __device__ __forceinline__ void read(MmaFragments<Tile>& to, const unsigned char* step, int slice) const {
    // Positions 8 apart are swizzled alike, and a warp's chunks begin at a multiple of their number.
    const unsigned char* rows = step + row_ + slice * 16 * Loader::y_row_bytes;
    const unsigned char* columns = step + column_ + slice * 16 * Loader::x_row_bytes;
#pragma unroll
    for (int m = 0; m < MmaFragments<Tile>::row_count; ++m) {
      ldmatrix_x4_transposed(to.rows[m], rows + (row_chunk_ ^ 2 * m) * 16);
    }
#pragma unroll
    for (int n = 0; n < MmaFragments<Tile>::column_count; n += 2) {
      std::uint32_t both[4];
      ldmatrix_x4_transposed(both, columns + (column_chunk_ ^ n) * 16);
      to.columns[n][0] = both[0];
      to.columns[n][1] = both[1];
      to.columns[n + 1][0] = both[2];
      to.columns[n + 1][1] = both[3];
    }
  }

 private:
  int row_, row_chunk_, column_, column_chunk_;
};

/// The same for f32, one element at a time: lane l has of 4 positions the one l % 4 and of 8 channels the one
/// l / 4, which the swizzle puts into 32 banks. Columns are rounded to tf32.
template <class Tile, class Loader>
class SingleReader {
 public:
  __device__ __forceinline__ SingleReader(int lane, int warp_row, int warp_column) {
    const int position = lane % 4, channel = lane / 4;
    row_ = position * Loader::y_row_bytes + channel % 4 * 4;
    row_chunk_ = (warp_row / 4 + channel / 4) ^ position_swizzle<float>(position);
    column_ = Loader::y_bytes + position * Loader::x_row_bytes + channel % 4 * 4;
    column_chunk_ = (warp_column / 4 + channel / 4) ^ position_swizzle<float>(position);
  }

  __device__ __forceinline__ void read(MmaFragments<Tile>& to, const unsigned char* step, int slice) const {
    const unsigned char* rows = step + row_ + slice * 8 * Loader::y_row_bytes;
    const unsigned char* columns = step + column_ + slice * 8 * Loader::x_row_bytes;
#pragma unroll
    for (int m = 0; m < MmaFragments<Tile>::row_count; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        to.rows[m][i] =
            bits(rows + i / 2 * 4 * Loader::y_row_bytes + (row_chunk_ ^ (4 * m + i % 2 * 2)) * 16);
      }
    }
#pragma unroll
    for (int n = 0; n < MmaFragments<Tile>::column_count; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        to.columns[n][i] =
            round_to_tf32(bits(columns + i * 4 * Loader::x_row_bytes + (column_chunk_ ^ 2 * n) * 16));
      }
    }
  }

 private:
  __device__ static __forceinline__ std::uint32_t bits(const unsigned char* at) {
    return __float_as_uint(*reinterpret_cast<const float*>(at));
  }

  int row_, row_chunk_, column_, column_chunk_;
};

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::resident)
    mma_weight_gradient(const WeightGradientProblem p) {
  using Element = typename MmaElement<T>::Type;
  using Loader = WeightGradientLoader<Element, Tile::rows, Tile::columns, step_positions<Element, Tile>,
                                      Tile::stages, Tile::threads>;
  using Reader =
      std::conditional_t<sizeof(Element) == 2, PairReader<Tile, Loader>, SingleReader<Tile, Loader>>;
  static_assert(Loader::step_bytes == Tile::step_bytes);
  TPN_DYNAMIC_SHARED(unsigned char, shared);

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp_row = thread / 32 / Tile::column_warps * Tile::warp_rows;
  const int warp_column = thread / 32 % Tile::column_warps * Tile::warp_columns;
  const ConvBlock block = conv_block<Tile::rows, Tile::columns>(p.schedule);
  MmaSums<Tile> sum = {};
  {
    Loader loader(p, block, thread, reinterpret_cast<PositionOrigin*>(shared + Tile::ring_bytes));
    const Reader reader(lane, warp_row, warp_column);
    multiply_steps<T, Tile>(loader, reader, shared, block.steps, sum);
  }

  // Four lanes store 32 bytes of a row: whole sectors.
#pragma unroll
  for (int m = 0; m < Tile::warp_rows / 16; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = block.row + warp_row + m * 16 + half * 8 + lane / 4;
      if (row >= p.sizes.columns) continue;
      float* to = partial_sum(p, block, row, block.column + warp_column + lane % 4 * 2);
#pragma unroll
      for (int n = 0; n < Tile::warp_columns / 8; ++n) {
        if (block.column + warp_column + n * 8 >= p.sizes.row_elements) continue;
        store_vector(to + n * 8, Vector<float, 2>{{sum[m][n][2 * half], sum[m][n][2 * half + 1]}});
      }
    }
  }
}

template <class T, class Tile>
constexpr WeightGradientVariant mma_weight_gradient_variant() {
  using Element = typename MmaElement<T>::Type;
  constexpr int table_bytes =
      Tile::stages * step_positions<Element, Tile> * static_cast<int>(sizeof(PositionOrigin));
  constexpr double reads = static_cast<double>(sizeof(Element)) * (Tile::warp_rows + Tile::warp_columns);
  return {{.rows = Tile::rows,
           .columns = Tile::columns,
           .depth_bytes = Tile::depth_bytes,
           .stages = Tile::stages,
           .threads = Tile::threads,
           .resident = Tile::resident,
           .shared_bytes = Tile::ring_bytes + table_bytes,
           .shared_bytes_per_product = reads / (Tile::warp_rows * Tile::warp_columns)},
          mma_weight_gradient<T, Tile>};
}

/// The tiles that are compiled. Weights are small and positions many: it is splits that fill the machine, so
/// that tiles need only be small where the weight is. A step is 32 or 64 positions.
template <class T>
constexpr auto mma_weight_gradient_variants() {
  if constexpr (std::is_same_v<T, Tf32>) {
    // Of 16 positions. Single reads take registers that larger tiles of a warp do not leave.
    return std::array{mma_weight_gradient_variant<T, MmaTile<128, 128, 64, 32, 64, 4, 1>>(),
                      mma_weight_gradient_variant<T, MmaTile<64, 128, 32, 64, 64, 4, 2>>(),
                      mma_weight_gradient_variant<T, MmaTile<128, 64, 64, 32, 64, 4, 2>>(),
                      mma_weight_gradient_variant<T, MmaTile<64, 64, 32, 32, 64, 4, 4>>()};
  } else {
    return std::array{mma_weight_gradient_variant<T, MmaTile<256, 128, 64, 64, 64, 4, 1>>(),
                      mma_weight_gradient_variant<T, MmaTile<128, 128, 64, 64, 64, 4, 2>>(),
                      mma_weight_gradient_variant<T, MmaTile<128, 128, 64, 32, 128, 3, 1>>(),
                      mma_weight_gradient_variant<T, MmaTile<64, 128, 32, 64, 128, 3, 2>>(),
                      mma_weight_gradient_variant<T, MmaTile<128, 64, 64, 32, 128, 3, 2>>(),
                      mma_weight_gradient_variant<T, MmaTile<64, 64, 32, 32, 128, 3, 4>>()};
  }
}

}  // namespace tpn::cuda
