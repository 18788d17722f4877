// The gradient of a convolution's weight as an implicit matrix product on Hopper: operands come as boxes of
// tensors (TMA), products are those of warp groups (wgmma). Compute capability 9.0 only; f16 and bf16, sums
// in f32.
//
// What: as mma_weight_gradient.cuh, for the convolutions of conv_boxes.h.
// Why this way: as wgmma_conv3d.cuh; and wgmma reads operands of 16 bits whose depth is outermost, so that
// boxes of dy and x are multiplied as they lie in memory.
// How: a step of depth is a box of up to 64 positions of y. Of dy its copy is a box for every 64 output
// channels of the tile, of x one for every 64 of its columns: as many channels under one tap. Positions that
// the box does not have are zeros in both: cleared once, never copied. Where the box reaches over the edge of
// y, dy is zero. The sums go to `partial` from the registers, four lanes 32 bytes.
//
// Work: output channels x columns x positions of all boxes products. From L2 as mma_weight_gradient.
#pragma once

#include <array>

#include "kernels/cuda/weight_gradient_tiles.cuh"
#include "kernels/cuda/weight_gradient_variants.h"
#include "kernels/cuda/wgmma_tile.cuh"

namespace tpn::cuda {

/// Bytes of a box of 64 channels with room for 64 positions.
inline constexpr int channel_box_bytes = weight_box_positions * 128;

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::resident)
    wgmma_weight_gradient(const __grid_constant__ CUtensorMap dy, const __grid_constant__ CUtensorMap x,
                          const __grid_constant__ WeightGradientProblem p,
                          const __grid_constant__ ConvBoxes boxes) {
  constexpr int row_boxes = Tile::rows / 64, column_boxes = Tile::columns / 64;
  TPN_DYNAMIC_SHARED(unsigned char, shared);
  const Ring<Tile> ring(shared);
  const int thread = static_cast<int>(threadIdx.x);
  const ConvBlock block = conv_block<Tile::rows, Tile::columns>(p.schedule);

  if (thread == 0) {
    prefetch_map(dy);
    prefetch_map(x);
    ring.init();
  }
#pragma unroll 1
  for (int i = 0; i < Tile::stages * (row_boxes + column_boxes); ++i) {
    clear_rows<Tile>(shared + i * channel_box_bytes, boxes.rows, weight_box_positions, thread);
  }
  asynchronous_fence();
  __syncthreads();

  if (thread < 128) {
    keep_registers<Tile::fetching_registers>();
    if (thread != 0) return;
    const ConvSizes& s = p.sizes;
    const int last_column = s.row_elements / 64 - 1;
    const auto fetch = [&](int step, unsigned char* rows, unsigned char* columns, PhaseBarrier& full) {
      const BoxOrigin at = box_origin(boxes, block.first_step + step);
      const int w = at.w * s.stride.w - s.padding.w;
      const int h = at.h * s.stride.h - s.padding.h;
      const int t = at.t * s.stride.t - s.padding.t;
#pragma unroll 1
      for (int i = 0; i < row_boxes; ++i) {
        copy_box(rows + i * channel_box_bytes, dy, full, {block.row + i * 64, at.w, at.h, at.t, at.n});
      }
#pragma unroll 1
      for (int i = 0; i < column_boxes; ++i) {
        const ConvStep from = boxes.steps[min(block.column / 64 + i, last_column)];
        copy_box(columns + i * channel_box_bytes, x, full,
                 {from.channel, w + from.w, h + from.h, t + from.t, at.n});
      }
    };
    fetch_steps(ring, block.steps, boxes.rows * 128 * (row_boxes + column_boxes), fetch);
    return;
  }

  take_registers<Tile::multiplying_registers>();
  const int warp = thread / 32 - 4;
  const int lane = thread % 32;
  const int first_strip = warp / 4 * Tile::strips;
  Sums<Tile> sum = {};
  multiply_steps(ring, block.steps, lane, [&](const unsigned char* rows, const unsigned char* columns) {
#pragma unroll
    for (int slice = 0; slice < weight_box_positions / 16; ++slice) {
      const int at = slice * 16 * 128;
#pragma unroll
      for (int strip = 0; strip < Tile::strips; ++strip) {
#pragma unroll
        for (int part = 0; part < Tile::parts; ++part) {
          warp_group_multiply_transposed<T>(
              sum[strip][part],
              transposed_descriptor(rows + (first_strip + strip) * channel_box_bytes + at, channel_box_bytes),
              transposed_descriptor(columns + part * Tile::width / 64 * channel_box_bytes + at,
                                    channel_box_bytes));
        }
      }
    }
  });

#pragma unroll
  for (int strip = 0; strip < Tile::strips; ++strip) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = block.row + (first_strip + strip) * 64 + warp % 4 * 16 + half * 8 + lane / 4;
      if (row >= p.sizes.columns) continue;
      float* to = partial_sum(p, block, row, block.column + lane % 4 * 2);
#pragma unroll
      for (int n = 0; n < Tile::columns / 8; ++n) {
        if (block.column + n * 8 >= p.sizes.row_elements) continue;
        const float(&four)[4] = sum[strip][n * 8 / Tile::width][n % (Tile::width / 8)];
        store_vector(to + n * 8, Vector<float, 2>{{four[2 * half], four[2 * half + 1]}});
      }
    }
  }
}

template <class T, class Tile>
constexpr WeightGradientVariant wgmma_weight_gradient_variant() {
  static_assert(Tile::depth_bytes == weight_box_positions * 2);
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
          .box_kernel = wgmma_weight_gradient<T, Tile>};
}

/// The tiles that are compiled: two that fetch least for each product, and smaller ones for weights that they
/// do not divide well.
template <class T>
constexpr auto wgmma_weight_gradient_variants() {
  return std::array{wgmma_weight_gradient_variant<T, WgmmaTile<2, 1, 256, 256, 4, 1>>(),
                    wgmma_weight_gradient_variant<T, WgmmaTile<2, 2, 128, 128, 4, 1>>(),
                    wgmma_weight_gradient_variant<T, WgmmaTile<1, 2, 128, 128, 3, 2>>(),
                    wgmma_weight_gradient_variant<T, WgmmaTile<1, 1, 128, 128, 4, 2>>()};
}

}  // namespace tpn::cuda
