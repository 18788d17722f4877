// Convolution as an implicit matrix product on tensor cores (mma.sync, from compute capability 8.0).
//
// What: y = relu(scale * conv3d(shift(x), weight) + bias + residual), see conv_problem.h; f16, bf16, or f32
// rounded to tf32, sums in f32.
// Why this way: with channels innermost, 16 bytes of depth are 16 consecutive bytes of x and of the packed
// weights. So no operand is ever unfolded in memory: the only difference between a pointwise, a spatial, a
// temporal, a strided and a shifted convolution is a table of offsets, and one kernel is all of them.
// How: a block makes a tile of Rows x Columns of y. Its threads bring both operands' next DepthBytes of depth
// into a ring of `Stages` buffers in shared memory (cp.async, Stages - 1 steps ahead), its warps take from
// there fragments for tiles of WarpRows x WarpColumns (ldmatrix) one 32-byte slice ahead of the products. A
// warp tile of 64 x 64 reads 4 KiB of shared memory for 65,536 products (of 16 bits), which is what lets
// tensor cores and not shared memory be the limit; the smaller ones exist for layers that do not fill the
// machine otherwise.
//
// Work: rows x columns x depth products. From L2 each row of tiles reads all weights, each column of tiles
// all gathered x: depth x (rows / Rows x columns + columns / Columns x rows) elements.
#pragma once

#include <array>
#include <type_traits>

#include "kernels/cuda/conv_sums.cuh"
#include "kernels/cuda/conv_tiles.cuh"
#include "kernels/cuda/conv_variants.h"
#include "kernels/cuda/mma_tile.cuh"

namespace tpn::cuda {

/// Reads fragments of a warp's tile. The matrices of one ldmatrix_x4 are, for x, (upper rows, lower rows) of
/// the first 16 bytes and then of the second; for weights both 16 bytes of the first 8 columns and then of
/// the next.
template <class Tile, class Loader>
class MmaReader {
 public:
  __device__ __forceinline__ MmaReader(int lane, int warp_row, int warp_column) {
    const int matrix = lane / 8;
    const int x_row = warp_row + matrix % 2 * 8 + lane % 8;
    const int weight_row = warp_column + matrix / 2 * 8 + lane % 8;
    x_row_ = x_row * Tile::depth_bytes;
    x_chunk_ = matrix / 2 ^ Loader::swizzle(x_row);
    weight_row_ = Loader::x_bytes + weight_row * Tile::depth_bytes;
    weight_chunk_ = matrix % 2 ^ Loader::swizzle(weight_row);
  }

  __device__ __forceinline__ void read(MmaFragments<Tile>& to, const unsigned char* step, int slice) const {
    // Rows 16 apart are swizzled alike, and slices begin at even chunks.
    const unsigned char* x = step + x_row_ + (x_chunk_ ^ 2 * slice) * 16;
    const unsigned char* weights = step + weight_row_ + (weight_chunk_ ^ 2 * slice) * 16;
#pragma unroll
    for (int m = 0; m < MmaFragments<Tile>::row_count; ++m) {
      ldmatrix_x4(to.rows[m], x + m * 16 * Tile::depth_bytes);
    }
#pragma unroll
    for (int n = 0; n < MmaFragments<Tile>::column_count; n += 2) {
      std::uint32_t both[4];
      ldmatrix_x4(both, weights + n * 8 * Tile::depth_bytes);
      to.columns[n][0] = both[0];
      to.columns[n][1] = both[1];
      to.columns[n + 1][0] = both[2];
      to.columns[n + 1][1] = both[3];
    }
  }

 private:
  int x_row_, x_chunk_, weight_row_, weight_chunk_;
};

/// Stores a warp's sums. staging: shared memory of the warp's own.
template <class Strip, class Tile>
__device__ __forceinline__ void store_sums(const ConvProblem& p, const ConvBlock& block, int lane,
                                           int warp_row, int warp_column, float* staging,
                                           const MmaSums<Tile>& sum) {
#pragma unroll
  for (int m = 0; m < Tile::warp_rows / 16; ++m) {
    int positions[Strip::passes];
#pragma unroll
    for (int pass = 0; pass < Strip::passes; ++pass) {
      const int row = block.row + warp_row + m * 16 + Strip::row(lane, pass);
      positions[pass] = row < p.sizes.rows ? row : -1;
    }
    const Strip strip(p, block, block.column + warp_column, lane, positions);
    Strip::stage(staging, lane, sum[m]);
    __syncwarp();
    strip.store(p, staging);
    __syncwarp();  // before the next rows overwrite what others still read
  }
}

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::resident) mma_conv3d(const ConvProblem p) {
  using Element = typename MmaElement<T>::Type;
  using Loader = ConvLoader<Element, Tile::rows, Tile::columns, Tile::depth_bytes, Tile::threads>;
  TPN_DYNAMIC_SHARED(unsigned char, shared);

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp_row = thread / 32 / Tile::column_warps * Tile::warp_rows;
  const int warp_column = thread / 32 % Tile::column_warps * Tile::warp_columns;
  const ConvBlock block = conv_block<Tile::rows, Tile::columns>(p.schedule);
  MmaSums<Tile> sum = {};
  {
    const auto same_row = [](int row) { return row; };
    Loader loader(p, block, thread, same_row, Loader::pass_rows);
    const MmaReader<Tile, Loader> reader(lane, warp_row, warp_column);
    multiply_steps<T, Tile>(loader, reader, shared, block.steps, sum);
  }
  using Strip = SumStrip<Element, Tile::warp_columns>;
  static_assert(Tile::threads / 32 * Strip::staged_floats * 4 <= Tile::ring_bytes);
  store_sums<Strip, Tile>(p, block, lane, warp_row, warp_column,
                          reinterpret_cast<float*>(shared) + thread / 32 * Strip::staged_floats, sum);
}

template <class T, class Tile>
constexpr ConvVariant mma_variant() {
  constexpr double reads =
      static_cast<double>(sizeof(typename MmaElement<T>::Type)) * (Tile::warp_rows + Tile::warp_columns);
  return {{Tile::rows, Tile::columns, Tile::depth_bytes, Tile::stages, Tile::threads, Tile::resident,
           Tile::ring_bytes, reads / (Tile::warp_rows * Tile::warp_columns)},
          mma_conv3d<T, Tile>};
}

/// The tiles that are compiled. The largest are for layers of hundreds of tiles, the narrow ones for layers
/// of 64 and of few channels, the small ones for few positions.
template <class T>
constexpr auto mma_variants() {
  // Rounding activations to tf32 takes registers that the deeper step does not leave.
  constexpr int depth = std::is_same_v<T, Tf32> ? 64 : 128;
  constexpr int stages = depth == 64 ? 4 : 3;
  return std::array{mma_variant<T, MmaTile<256, 128, 64, 64, depth, stages, 1>>(),
                    mma_variant<T, MmaTile<128, 256, 64, 64, depth, stages, 1>>(),
                    mma_variant<T, MmaTile<128, 128, 64, 64, 64, 4, 2>>(),
                    mma_variant<T, MmaTile<256, 64, 64, 64, 64, 4, 2>>(),
                    mma_variant<T, MmaTile<128, 64, 64, 32, 128, 3, 2>>(),
                    mma_variant<T, MmaTile<64, 128, 32, 64, 128, 3, 2>>(),
                    mma_variant<T, MmaTile<64, 64, 32, 32, 128, 3, 4>>(),
                    mma_variant<T, MmaTile<128, 32, 32, 32, 128, 3, 3>>()};
}

}  // namespace tpn::cuda
