// Convolution as an implicit matrix product on Hopper: operands come as boxes of tensors (TMA), products are
// those of warp groups (wgmma). Compute capability 9.0 only; f16 and bf16, sums in f32.
//
// What: as mma_conv3d.cuh, for the convolutions of conv_boxes.h.
// Why this way: tensor cores give mma.sync about five eighths of what they give wgmma, which reads both
// operands from shared memory and so leaves registers to the sums. And gathering takes a thread nothing when
// a step of 64 channels under one tap is a box of x: one instruction fetches it, zeros of the padding
// included, where mma_conv3d computes an address for every 16 bytes. How: a block makes a tile of Rows x
// Columns of y, whose rows are a box of output positions. One thread of its first warp group fetches both
// operands' next 128 bytes of depth into a ring of `Stages` buffers, as soon as one is free (barrier `empty`)
// and up to all of them ahead. Each other group waits for a step (barrier `full`) and multiplies its own 64
// or 128 rows with all columns, one step's products running while the next one's are issued. Rows of the tile
// that no position belongs to are zeros: cleared once, never copied, never stored. The groups that multiply
// take over most registers of the one that fetches. In the epilogue the ring is their staging.
//
// Work: rows x columns x depth products, rows those of all tiles. From L2 as mma_conv3d.
#pragma once

#include <array>

#include "kernels/cuda/conv_sums.cuh"
#include "kernels/cuda/conv_tiles.cuh"
#include "kernels/cuda/conv_variants.h"
#include "kernels/cuda/wgmma_tile.cuh"

namespace tpn::cuda {

/// The output position of a tile's row; -1: none.
__device__ __forceinline__ int row_position(const ConvSizes& s, const ConvBoxes& boxes,
                                            const BoxOrigin& origin, int row) {
  if (row >= boxes.rows) return -1;
  const int w = origin.w + divide(row, boxes.w);
  const int h = origin.h + divide(row, boxes.h);
  const int t = origin.t + divide(row, boxes.t);
  const int n = origin.n + row;
  if (w >= s.out.w || h >= s.out.h || t >= s.out.t || n >= boxes.all_views) return -1;
  return ((n * s.out.t + t) * s.out.h + h) * s.out.w + w;
}

/// Fetches a block's steps: one thread.
template <class Tile>
__device__ __forceinline__ void fetch_steps(const Ring<Tile>& ring, const CUtensorMap& x,
                                            const CUtensorMap& weights, const ConvSizes& s,
                                            const ConvBoxes& boxes, const ConvBlock& block,
                                            const BoxOrigin& origin) {
  const int w = origin.w * s.stride.w - s.padding.w;
  const int h = origin.h * s.stride.h - s.padding.h;
  const int t = origin.t * s.stride.t - s.padding.t;
  const int bytes = boxes.rows * Tile::depth_bytes + Tile::columns_bytes;
  const ConvStep* next = boxes.steps + block.first_step;
  ConvStep step = *next;
  int depth = block.first_step * 64;
  fetch_steps(ring, block.steps, bytes,
              [&](int, unsigned char* rows, unsigned char* columns, PhaseBarrier& full) {
                copy_box(rows, x, full, {step.channel, w + step.w, h + step.h, t + step.t, origin.n});
                copy_box(columns, weights, full, {depth, block.column});
                step = *++next;  // a step ahead, so that nothing waits for it
                depth += 64;
              });
}

/// Sums the products of a block's steps for a warp group's rows, which begin at first_row. When it returns,
/// all warps are done with the ring.
template <class T, class Tile>
__device__ __forceinline__ void multiply_steps(const Ring<Tile>& ring, int steps, int first_row, int lane,
                                               Sums<Tile>& sum) {
  multiply_steps(ring, steps, lane, [&](const unsigned char* rows, const unsigned char* columns) {
    const unsigned char* x = rows + first_row * Tile::depth_bytes;
#pragma unroll
    for (int depth = 0; depth < Tile::depth_bytes; depth += 32) {
#pragma unroll
      for (int strip = 0; strip < Tile::strips; ++strip) {
#pragma unroll
        for (int part = 0; part < Tile::parts; ++part) {
          warp_group_multiply<T>(sum[strip][part],
                                 matrix_descriptor(x + strip * 64 * Tile::depth_bytes + depth),
                                 matrix_descriptor(columns + part * Tile::width * Tile::depth_bytes + depth));
        }
      }
    }
  });
}

/// Stores a warp's sums: 16 rows of each of the group's strips. staging: room for all of them, of the warp's
/// own, so that they leave the registers at once.
template <class T, class Tile>
__device__ __forceinline__ void store_sums(const ConvProblem& p, const ConvBoxes& boxes,
                                           const ConvBlock& block, const BoxOrigin& origin, int first_row,
                                           int lane, float* staging, const Sums<Tile>& sum) {
  using Strip = SumStrip<T, 64>;
  constexpr int across = Tile::columns / 64;
#pragma unroll
  for (int i = 0; i < Tile::strips * across; ++i) {
    const int column = i % across * 64;
    Strip::stage(staging + i * Strip::staged_floats, lane,
                 sum[i / across][column / Tile::width] + column % Tile::width / 8);
  }
  __syncwarp();
  const auto strip_at = [&](int i) {
    int positions[Strip::passes];
#pragma unroll
    for (int pass = 0; pass < Strip::passes; ++pass) {
      const int row = first_row + i / across * 64 + Strip::row(lane, pass);
      positions[pass] = row_position(p.sizes, boxes, origin, row);
    }
    return Strip(p, block, block.column + i % across * 64, lane, positions);
  };
  Strip strip = strip_at(0);
#pragma unroll 1  // nothing here needs to be known to the compiler, and four copies are half of the kernel
  for (int i = 0; i < Tile::strips * across; ++i) {
    const Strip stored = strip;
    // The next one's loads are under way while this one is stored.
    if (i + 1 < Tile::strips * across) strip = strip_at(i + 1);
    stored.store(p, staging + i * Strip::staged_floats);
  }
}

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::resident)
    wgmma_conv3d(const __grid_constant__ CUtensorMap x, const __grid_constant__ CUtensorMap weights,
                 const __grid_constant__ ConvProblem p, const __grid_constant__ ConvBoxes boxes) {
  TPN_DYNAMIC_SHARED(unsigned char, shared);
  const Ring<Tile> ring(shared);
  const int thread = static_cast<int>(threadIdx.x);
  const ConvBlock block = conv_block<Tile::rows, Tile::columns>(p.schedule);
  const BoxOrigin origin = box_origin(boxes, block.row / Tile::rows);

  if (thread == 0) {
    prefetch_map(x);
    prefetch_map(weights);
    ring.init();
  }
#pragma unroll 1
  for (int i = 0; i < Tile::stages; ++i) clear_rows<Tile>(ring.rows(i), boxes.rows, Tile::rows, thread);
  asynchronous_fence();
  __syncthreads();

  if (thread < 128) {
    keep_registers<Tile::fetching_registers>();
    if (thread == 0) fetch_steps(ring, x, weights, p.sizes, boxes, block, origin);
  } else {
    take_registers<Tile::multiplying_registers>();
    constexpr int staged_floats = Tile::strips * Tile::columns / 64 * SumStrip<T, 64>::staged_floats;
    static_assert(Tile::warps * staged_floats * 4 <= Tile::ring_bytes);
    const int warp = thread / 32 - 4;
    const int lane = thread % 32;
    const int first_row = warp / 4 * Tile::strips * 64;
    Sums<Tile> sum = {};
    multiply_steps<T>(ring, block.steps, first_row, lane, sum);
    store_sums<T, Tile>(p, boxes, block, origin, first_row + warp % 4 * 16, lane,
                        reinterpret_cast<float*>(shared) + warp * staged_floats, sum);
  }
}

template <class T, class Tile>
constexpr ConvVariant wgmma_variant() {
  // Each instruction reads both operands from shared memory.
  constexpr double reads = 2.0 * (64 + Tile::width) / (64 * Tile::width);
  return {.tile = {.rows = Tile::rows,
                   .columns = Tile::columns,
                   .depth_bytes = Tile::depth_bytes,
                   .stages = Tile::stages,
                   .threads = Tile::threads,
                   .resident = Tile::resident,
                   .shared_bytes = Tile::shared_bytes,
                   .shared_bytes_per_product = reads,
                   .boxes = true},
          .box_kernel = wgmma_conv3d<T, Tile>};
}

/// The tiles that are compiled. The first fetches least for each product; its instructions are half as wide
/// as they could be, since the compiler wants one of 256 columns to fit the registers that all four groups
/// have at the start. The others are for layers of 64 or 128 columns, and where large tiles are too few for
/// all multiprocessors.
template <class T>
constexpr auto wgmma_variants() {
  return std::array{wgmma_variant<T, WgmmaTile<3, 1, 256, 128, 4, 1>>(),
                    wgmma_variant<T, WgmmaTile<2, 1, 256, 256, 4, 1>>(),
                    wgmma_variant<T, WgmmaTile<2, 2, 128, 128, 4, 1>>(),
                    wgmma_variant<T, WgmmaTile<1, 2, 128, 128, 3, 2>>(),
                    wgmma_variant<T, WgmmaTile<1, 4, 64, 64, 2, 2>>(),
                    wgmma_variant<T, WgmmaTile<1, 1, 128, 128, 4, 2>>()};
}

}  // namespace tpn::cuda
