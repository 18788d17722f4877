// What kernels share that multiply tiles of matrices on tensor cores (mma.sync): how a block's tile is
// divided among warps, and the walk along the depth.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/device.cuh"

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

/// A block's tile of the product, Rows x Columns, in warp tiles of WarpRows x WarpColumns. Steps of
/// DepthBytes of depth arrive in a ring of `Stages` buffers. Resident: blocks that should fit a
/// multiprocessor at once; bounds the registers.
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

  static constexpr int step_bytes = (Rows + Columns) * DepthBytes;
  static constexpr int ring_bytes = Stages * step_bytes;
};

/// What a warp reads of a 32-byte slice of depth: 16 rows of the left operand per fragment, 8 columns of the
/// right one.
template <class Tile>
struct MmaFragments {
  static constexpr int row_count = Tile::warp_rows / 16;
  static constexpr int column_count = Tile::warp_columns / 8;
  std::uint32_t rows[row_count][4];
  std::uint32_t columns[column_count][2];
};

/// A warp's sums, as mma_block lays them out.
template <class Tile>
using MmaSums = float[Tile::warp_rows / 16][Tile::warp_columns / 8][4];

/// Adds the products of a slice. Columns are already rounded to tf32, rows are here.
template <class T, class Tile>
__device__ __forceinline__ void multiply(MmaSums<Tile>& sum, MmaFragments<Tile>& fragments) {
  if constexpr (std::is_same_v<T, Tf32>) {
#pragma unroll
    for (auto& fragment : fragments.rows) {
#pragma unroll
      for (std::uint32_t& value : fragment) value = round_to_tf32(value);
    }
  }
  mma_block<T>(sum, fragments.rows, fragments.columns);
}

/// Sums the products of a block's steps for a warp. loader.load(to) starts copying the next step into
/// step_bytes of shared memory, reader.read(fragments, step, slice) gives the warp's fragments of one. When
/// it returns, the ring is free and no copy into it is under way.
template <class T, class Tile, class Loader, class Reader>
__device__ __forceinline__ void multiply_steps(Loader& loader, const Reader& reader, unsigned char* ring,
                                               int steps, MmaSums<Tile>& sum) {
  constexpr int slices = Tile::depth_bytes / 32;
  MmaFragments<Tile> fragments[2];

#pragma unroll
  for (int stage = 0; stage < Tile::stages - 1; ++stage) {
    if (stage < steps) loader.load(ring + stage * Tile::step_bytes);
    cp_async_commit();  // also of nothing: the waits count groups
  }
  cp_async_wait<Tile::stages - 2>();
  __syncthreads();
  int current = 0;  // where the step lies in the ring, and where the next to be fetched will
  int free = Tile::ring_bytes - Tile::step_bytes;
  reader.read(fragments[0], ring, 0);

  for (int step = 0; step < steps; ++step) {
#pragma unroll
    for (int slice = 0; slice < slices; ++slice) {
      if (slice == slices - 1) {
        // All warps have read the last of this step, and the next has arrived.
        cp_async_wait<Tile::stages - 2>();
        __syncthreads();
        current += Tile::step_bytes;
        if (current == Tile::ring_bytes) current = 0;
        if (step + 1 < steps) reader.read(fragments[0], ring + current, 0);
      } else {
        reader.read(fragments[(slice + 1) % 2], ring + current, slice + 1);
      }
      if (slice == 0) {
        if (step + Tile::stages - 1 < steps) loader.load(ring + free);
        cp_async_commit();
        free += Tile::step_bytes;
        if (free == Tile::ring_bytes) free = 0;
      }
      multiply<T, Tile>(sum, fragments[slice % 2]);
    }
  }
}

}  // namespace tpn::cuda
