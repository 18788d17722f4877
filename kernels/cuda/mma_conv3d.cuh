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

namespace tpn::cuda {

/// How products of T are stored.
template <class T>
struct MmaElement {
  using Type = T;
};
template <>
struct MmaElement<Tf32> {
  using Type = float;
};

/// Resident: blocks that should fit a multiprocessor at once; bounds the registers.
template <int Rows, int Columns, int WarpRows, int WarpColumns, int DepthBytes, int Stages, int Resident>
struct MmaTile {
  static constexpr int rows = Rows;
  static constexpr int columns = Columns;
  static constexpr int warp_rows = WarpRows;
  static constexpr int warp_columns = WarpColumns;
  static constexpr int depth_bytes = DepthBytes;
  static constexpr int stages = Stages;
  static constexpr int resident = Resident;
  static constexpr int column_warps = Columns / WarpColumns;
  static constexpr int threads = Rows / WarpRows * column_warps * 32;
  static_assert(Rows % WarpRows == 0 && Columns % WarpColumns == 0 && WarpRows % 16 == 0);
  static_assert(WarpColumns % 16 == 0 && Stages >= 3);

  static constexpr int shared_bytes = Stages * (Rows + Columns) * DepthBytes;
};

/// What a warp reads of a 32-byte slice of depth: 16 rows of x per fragment, 8 columns of weights.
template <class Tile>
struct MmaFragments {
  static constexpr int row_count = Tile::warp_rows / 16;
  static constexpr int column_count = Tile::warp_columns / 8;
  std::uint32_t x[row_count][4];
  std::uint32_t weights[column_count][2];
};

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
      ldmatrix_x4(to.x[m], x + m * 16 * Tile::depth_bytes);
    }
#pragma unroll
    for (int n = 0; n < MmaFragments<Tile>::column_count; n += 2) {
      std::uint32_t both[4];
      ldmatrix_x4(both, weights + n * 8 * Tile::depth_bytes);
      to.weights[n][0] = both[0];
      to.weights[n][1] = both[1];
      to.weights[n + 1][0] = both[2];
      to.weights[n + 1][1] = both[3];
    }
  }

 private:
  int x_row_, x_chunk_, weight_row_, weight_chunk_;
};

/// Adds the products of a slice. Weights are rounded to tf32 when packed, activations here.
template <class T, class Tile>
__device__ __forceinline__ void multiply(float (&sum)[Tile::warp_rows / 16][Tile::warp_columns / 8][4],
                                         MmaFragments<Tile>& fragments) {
  if constexpr (std::is_same_v<T, Tf32>) {
#pragma unroll
    for (auto& fragment : fragments.x) {
#pragma unroll
      for (std::uint32_t& value : fragment) value = round_to_tf32(value);
    }
  }
  mma_block<T>(sum, fragments.x, fragments.weights);
}

/// Stores a warp's sums. staging: shared memory of the warp's own.
template <class Strip, class Tile>
__device__ __forceinline__ void store_sums(
    const ConvProblem& p, const ConvBlock& block, int lane, int warp_row, int warp_column, float* staging,
    const float (&sum)[Tile::warp_rows / 16][Tile::warp_columns / 8][4]) {
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
  constexpr int slices = Tile::depth_bytes / 32;
  TPN_DYNAMIC_SHARED(unsigned char, shared);

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp_row = thread / 32 / Tile::column_warps * Tile::warp_rows;
  const int warp_column = thread / 32 % Tile::column_warps * Tile::warp_columns;
  const ConvBlock block = conv_block<Tile::rows, Tile::columns>(p.schedule);
  float sum[Tile::warp_rows / 16][Tile::warp_columns / 8][4] = {};

  {
    const auto same_row = [](int row) { return row; };
    Loader loader(p, block, thread, same_row, Loader::pass_rows);
    const MmaReader<Tile, Loader> reader(lane, warp_row, warp_column);
    MmaFragments<Tile> fragments[2];

#pragma unroll
    for (int stage = 0; stage < Tile::stages - 1; ++stage) {
      if (stage < block.steps) loader.load(shared + stage * Loader::step_bytes);
      cp_async_commit();  // also of nothing: the waits count groups
    }
    cp_async_wait<Tile::stages - 2>();
    __syncthreads();
    constexpr int ring_bytes = Tile::stages * Loader::step_bytes;
    int current = 0;  // where the step lies in the ring, and where the next to be fetched will
    int free = ring_bytes - Loader::step_bytes;
    reader.read(fragments[0], shared, 0);

    for (int step = 0; step < block.steps; ++step) {
#pragma unroll
      for (int slice = 0; slice < slices; ++slice) {
        if (slice == slices - 1) {
          // All warps have read the last of this step, and the next has arrived.
          cp_async_wait<Tile::stages - 2>();
          __syncthreads();
          current += Loader::step_bytes;
          if (current == ring_bytes) current = 0;
          if (step + 1 < block.steps) reader.read(fragments[0], shared + current, 0);
        } else {
          reader.read(fragments[(slice + 1) % 2], shared + current, slice + 1);
        }
        if (slice == 0) {
          if (step + Tile::stages - 1 < block.steps) loader.load(shared + free);
          cp_async_commit();
          free += Loader::step_bytes;
          if (free == ring_bytes) free = 0;
        }
        multiply<T, Tile>(sum, fragments[slice % 2]);
      }
    }
  }
  // The last step ended with a barrier: the ring is free, and no copy into it is under way.
  using Strip = SumStrip<Element, Tile::warp_columns>;
  static_assert(Tile::threads / 32 * Strip::staged_floats * 4 <= Tile::shared_bytes);
  store_sums<Strip, Tile>(p, block, lane, warp_row, warp_column,
                          reinterpret_cast<float*>(shared) + thread / 32 * Strip::staged_floats, sum);
}

template <class T, class Tile>
constexpr ConvVariant mma_variant() {
  constexpr double reads =
      static_cast<double>(sizeof(typename MmaElement<T>::Type)) * (Tile::warp_rows + Tile::warp_columns);
  return {{Tile::rows, Tile::columns, Tile::depth_bytes, Tile::stages, Tile::threads, Tile::resident,
           Tile::shared_bytes, reads / (Tile::warp_rows * Tile::warp_columns)},
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
