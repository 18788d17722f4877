// A convolution as its kernels see it: a matrix product whose left operand is gathered from the activations.
//
//   y[m][o] = sum over k of a[m][k] w[o][k]      for each group
//
// Row m is an output position (n,t',h',w'), column o an output channel of the group, and the depth k runs
// over taps and channels in chunks of 16 bytes: consecutive channels under one tap, which lie side by side in
// memory. Chunk i of row m is at origin(m) + chunks[i].offset, where the tap (0,0,0) of row m is its origin;
// it is zero where its tap falls outside of the image. A row knows for which t, h and w taps it is inside; a
// chunk knows which it needs.
#pragma once

#include <cstdint>

namespace tpn::cuda {

/// Which taps of a row are inside, in three fields of `tap_bits` bits each: those in t, in h and in w.
inline constexpr int tap_bits = 10;
/// A bit that no row has.
inline constexpr std::uint32_t no_tap = std::uint32_t{1} << 30;

/// 16 bytes of depth.
struct ConvChunk {
  std::int32_t offset = 0;       ///< bytes from the row's origin
  std::uint32_t needs = no_tap;  ///< one bit in each field of taps
};

/// Tables of chunks and rows of weights are padded to a multiple of this many chunks (128 bytes, the deepest
/// step of any kernel), with chunks that are zero in both operands. The table has as many again after that:
/// it is read one step ahead.
inline constexpr int chunk_alignment = 8;

struct Extent {
  int t = 1, h = 1, w = 1;
};

/// Divides numbers from 0 to 2^31 - 1 by `divisor`, at least 1, with a multiplication: a division of integers
/// takes a GPU some twenty instructions. With multiplier = ceil(2^shift / divisor), n * multiplier / 2^shift
/// exceeds n / divisor by less than n / 2^31 / divisor, too little to reach the next integer.
struct Divider {
  Divider() = default;
  explicit Divider(int by) : divisor(by) {
    while (std::int64_t{1} << (shift - 31) < by) ++shift;
    multiplier = static_cast<std::uint32_t>(((std::uint64_t{1} << shift) + static_cast<unsigned>(by) - 1) /
                                            static_cast<unsigned>(by));
  }

  int divisor = 1;
  int shift = 31;
  std::uint32_t multiplier = std::uint32_t{1} << 31;  // for a divisor of 1
};

/// Where output positions lie that are every so many of a tensor's: position (n,t,h,w) is at `first` + `step`
/// times (t,h,w) of frame n of `extent`.
struct ConvScatter {
  bool used = false;  ///< otherwise positions follow one another
  Extent first, step, extent;
};

/// The problem without its pointers.
struct ConvSizes {
  int rows = 0;     ///< M: output positions, N T' H' W'
  int columns = 0;  ///< output channels of a group
  int groups = 1;
  int chunks = 0;          ///< of depth, without padding
  int row_elements = 0;    ///< of the packed weights: chunks, padded, times elements
  int group_channels = 0;  ///< input channels of a group
  int channels = 0;        ///< output channels of all groups, rounded up to 8

  Extent in, out;                  ///< (T,H,W) of x and y
  Divider out_t, out_h, out_w;     ///< by the extents of y
  Extent kernel, stride, padding;  ///< of a temporal shift: 3 taps in t, each chunk needing one of them
  ConvScatter scatter;             ///< of y, in the gradients of strided convolutions
  std::int64_t x_stride = 0, y_stride = 0, residual_stride = 0;  ///< elements from pixel to pixel

  bool one_frame_residual = false;  ///< the residual has one frame, for every T'
  bool relu = false;
};

/// How a kernel walks it.
struct ConvSchedule {
  int row_tiles = 0, column_tiles = 0;
  /// Tiles are taken in bands of so many rows of tiles, column by column within the band, so that the blocks
  /// that run together share rows and columns in the L2 cache.
  int band = 1;
  int steps = 0;        ///< along the depth, of all splits together
  int splits = 1;       ///< parts of the depth, each summed by its own blocks into `partial`
  int split_steps = 0;  ///< steps of each but the last split
};

/// The argument of every convolution kernel. T is the element type of x, y, residual and weights.
struct ConvProblem {
  ConvSizes sizes;
  ConvSchedule schedule;
  const void* x = nullptr;
  const void* weights = nullptr;  ///< (groups, columns, row_elements), in the chunks' order
  const ConvChunk* chunks = nullptr;
  const float* scale = nullptr;    ///< by output channel, `channels` of them; null: 1
  const float* bias = nullptr;     ///< likewise; null: 0
  const void* residual = nullptr;  ///< null: none. May be y.
  void* y = nullptr;
  float* partial = nullptr;  ///< (splits, rows, channels), with several splits
};

/// The argument of the plain kernels of gradients. T is the element type of x, dy, dx and weights.
struct ConvGradientProblem {
  ConvSizes sizes;  ///< of the convolution itself
  const void* x = nullptr;
  const void* dy = nullptr;
  const void* weights = nullptr;  ///< (channels of y, taps, group_channels), dense
  void* dx = nullptr;
  float* dweight = nullptr;  ///< (channels of y, group_channels, taps), dense
};

/// The argument of the kernels that make a weight's gradient as a product, see weight_gradient_tiles.cuh.
struct WeightGradientProblem {
  ConvSizes sizes;        ///< of the convolution as a product: columns are output channels
  ConvSchedule schedule;  ///< of the gradient
  const void* x = nullptr;
  const void* dy = nullptr;
  const ConvChunk* chunks = nullptr;
  float* partial = nullptr;              ///< (splits, groups, columns, row_elements)
  Divider weight_row;                    ///< by the elements of an output channel in the parameter
  const std::int32_t* places = nullptr;  ///< where each of them lies in a row of row_elements
  float* dweight = nullptr;              ///< (channels of y, group_channels, taps), dense
};

/// A step of depth for kernels that fetch boxes: consecutive channels from `channel` on, under the tap
/// (t,h,w).
struct ConvStep {
  std::int32_t channel = 0;
  std::int32_t t = 0, h = 0, w = 0;
};

/// How kernels that fetch boxes cut y: a tile's rows are the positions of a box of y, numbered as those of y
/// are (w fastest); where the box has fewer, the rest of the tile is unused. Tiles are numbered likewise.
struct ConvBoxes {
  Divider w, h, t;                    ///< by the extents of a box
  int views = 1;                      ///< its extent in n
  int rows = 1;                       ///< its positions
  Divider tiles_w, tiles_h, tiles_t;  ///< by the boxes side by side in y
  int all_views = 1;                  ///< N
  const ConvStep* steps = nullptr;    ///< of all splits, and one more: it is read one ahead
};

}  // namespace tpn::cuda
