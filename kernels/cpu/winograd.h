// The steps of a Winograd convolution, compiled once for each instruction set.
//
// A layer is a 2D convolution of N images (H,W,C), channels innermost. Its outputs are cut into tiles; each
// tile (n, down, across) is a row of `points` matrix products: V (rows, C) of transformed inputs times U (C,
// O) of transformed weights. Rows come in blocks of rows_per_block, outputs in panels of outputs_per_panel
// and channels in slices of 16 words. A word of V or U is an element of f32, or two of bf16, whose channels
// are 16 apart. In memory are the weights as they are, by panel: each is transformed when it is multiplied,
// so that the points, which are up to 2.8 times as many as the taps, take no memory that lasts.
#pragma once

#include <cstdint>

namespace tpn::cpu {

/// Which filter (winograd_filters.h) goes over the height, and which over the width. With products of bf16
/// FourOutputs is TwoOutputs: two thirds over time, 16 of 36 over space.
enum class WinogradAlgorithm : std::uint8_t {
  over_time,           ///< FourOutputs, OneTap: half the products; frames are the height
  over_space,          ///< FourOutputs, TwoOutputs: a third
  over_space_halving,  ///< EverySecond twice: 25 of 36
  product,             ///< no filter: of a (1,1,1) convolution
  product_halving      ///< the same at every second pixel of every second row
};

/// A convolution and its tiles. Sizes and places in elements.
struct WinogradLayer {
  std::int64_t images, height, width, channels;
  std::int64_t out_height, out_width, outputs;
  std::int64_t pad_height, pad_width;  ///< above and to the left
  std::int64_t tiles_down, tiles_across;

  [[nodiscard]] std::int64_t rows() const { return images * tiles_down * tiles_across; }
};

/// What happens to sums: bias, residual and ReLU, in this order.
struct WinogradEpilogue {
  const float* bias;     ///< (O); null for none
  const void* residual;  ///< shaped as y, which it may be; null for none
  bool relu;
};

/// The code for one instruction set, algorithm and type.
struct WinogradCode {
  static constexpr std::int64_t slice = 16;  ///< words

  const char* name;  ///< of algorithm and instruction set
  std::int64_t rows_per_block, outputs_per_panel;
  std::int64_t channels_per_word;
  std::int64_t points, taps, tile_height, tile_width;

  [[nodiscard]] std::int64_t channels_per_slice() const { return slice * channels_per_word; }
  /// Of so many channels, whole slices.
  [[nodiscard]] std::int64_t words(std::int64_t channels) const { return channels / channels_per_word; }

  /// V of blocks [begin, end), of which the first begins with row `first`: v (points, blocks, C /
  /// channels_per_slice, rows_per_block, slice). blocks: those that v has room for. zeros: C elements.
  void (*transform_inputs)(const WinogradLayer& layer, const void* x, const void* zeros, std::int64_t first,
                           std::int64_t begin, std::int64_t end, std::int64_t blocks, float* v);
  /// U of some slices of a panel's channels: weight (count, taps, outputs_per_panel) to u (points,
  /// words(count), outputs_per_panel).
  void (*transform_weights)(const void* weight, std::int64_t count, float* u);
  /// sums (rows_per_block, outputs_per_panel) = v (depth / slice, rows_per_block, slice) * u (depth,
  /// outputs_per_panel), added to what is there with `add`. depth: words. next: the v that is multiplied
  /// after this one.
  void (*multiply)(const float* v, const float* u, float* sums, std::int64_t depth, bool add,
                   const float* next);
  /// Outputs of a panel for rows [first, last), from sums (points, blocks, rows_per_block,
  /// outputs_per_panel), which begin with row `first`.
  void (*finish)(const WinogradLayer& layer, const float* sums, std::int64_t first, std::int64_t last,
                 std::int64_t blocks, std::int64_t panel, const WinogradEpilogue& epilogue, void* y);
};

/// Of activations and weights in f32.
const WinogradCode& winograd_code_avx2(WinogradAlgorithm algorithm);
const WinogradCode& winograd_code_avx512(WinogradAlgorithm algorithm);
/// Of activations and weights in bf16, with products of f32.
const WinogradCode& winograd_code_avx512_widening(WinogradAlgorithm algorithm);
/// The same with products of bf16 and sums of f32.
const WinogradCode& winograd_code_avx512_bf16(WinogradAlgorithm algorithm);

}  // namespace tpn::cpu
