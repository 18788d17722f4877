// The compiled kernels of convolutions. All take a ConvProblem.
#pragma once

#include <cstdint>
#include <span>

#include <cuda.h>

#include "kernels/cuda/conv_problem.h"

namespace tpn::cuda {

using ConvKernelFunction = void (*)(ConvProblem);
/// Those that fetch boxes also take x and the weights as maps, see conv_boxes.h.
using ConvBoxKernelFunction = void (*)(CUtensorMap x, CUtensorMap weights, ConvProblem, ConvBoxes);

/// What is multiplied. f32 and tf32 are both stored as f32; tf32 is rounded to 10 bits of mantissa.
enum class ConvType : std::uint8_t { f32, tf32, f16, bf16 };

/// A block of the implicit matrix product: what it makes and what it needs.
struct ConvTile {
  int rows = 0, columns = 0;
  int depth_bytes = 0;  ///< of a step
  int stages = 0;       ///< steps in shared memory
  int threads = 0;
  int resident = 0;  ///< blocks that the registers of a multiprocessor suffice for
  int shared_bytes = 0;
  /// Bytes of shared memory read for each product, which is what limits small tiles.
  double shared_bytes_per_product = 0;
  bool boxes = false;  ///< fetched and multiplied by warp groups, see conv_boxes.h
};

/// With the kernel of its kind.
struct ConvVariant {
  ConvTile tile;
  ConvKernelFunction kernel = nullptr;
  ConvBoxKernelFunction box_kernel = nullptr;
};

/// The implicit matrix product on tensor cores...
std::span<const ConvVariant> conv_variants_bf16();
std::span<const ConvVariant> conv_variants_f16();
std::span<const ConvVariant> conv_variants_tf32();
/// ... with exact products...
std::span<const ConvVariant> conv_variants_f32();
/// ... and by warp groups that fetch boxes, on devices of compute capability 9.0. Where TPN_HAS_WGMMA is not
/// defined they are not compiled.
std::span<const ConvVariant> conv_box_variants_bf16();
std::span<const ConvVariant> conv_box_variants_f16();

/// Threads in each block of the other kernels.
inline constexpr int conv_threads = 256;

/// Adds up the partial sums of a product in splits and finishes them: a thread for each 16 bytes of y, in all
/// fewer than 2^31 - conv_threads.
ConvKernelFunction conv_split_sum(ConvType type);

/// A block of the plain kernel: an element of y for each thread.
inline constexpr int plain_channels = 32;
inline constexpr int plain_rows = conv_threads / plain_channels;

/// The plain kernel; weights (channels of y, taps, group_channels), dense. The sizes are those of the
/// convolution itself: a temporal shift is told by shift_fold.
void (*conv_plain(ConvType type))(ConvProblem, int shift_fold);

/// The plain kernels of gradients: blocks as above, of elements of dx, which has so many pixels, and of the
/// weight's (o, tap) times its input channels.
void (*conv_plain_data_gradient(ConvType type))(ConvGradientProblem, int pixels);
void (*conv_plain_weight_gradient(ConvType type))(ConvGradientProblem);

}  // namespace tpn::cuda
