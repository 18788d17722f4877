// How kernels of batch norm divide an activation tensor: a thread has a vector of 16 bytes of channels, whose
// constants it reads once, and goes through pixels.
//
// A block's threads are `lanes` neighbouring vectors of channels by `rows` pixels, so that they read
// neighbouring memory. Sums over all pixels are made in two stages, without atomics: each block sums a
// section of the pixels and leaves doubles in scratch memory, which sum_sections() adds up in order.
#pragma once

#include <algorithm>

#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch.h"

namespace tpn::cuda {

inline constexpr int norm_threads = 256;

/// The division of (pixels, C).
struct NormTiles {
  int pixels = 0, channels = 0;
  int lanes = 1, rows = 1;  ///< of a block
  int tiles = 1;            ///< of lanes, that cover the channels
  int sections = 1;         ///< of pixels
  int padded_channels = 0;

  NormTiles(const ActivationLayout& layout, int vector)
      : pixels(layout.pixels()), channels(layout.c), padded_channels(layout.padded_channels()) {
    constexpr int most_lanes = 32;          // 512 bytes in a row
    constexpr int pixels_of_thread = 8;     // at least, where there are enough
    constexpr int wanted_blocks = 132 * 4;  // fill the large devices
    const auto rounded_up = [](int a, int b) { return a / b + (a % b != 0 ? 1 : 0); };
    const int vectors = padded_channels / vector;
    tiles = rounded_up(vectors, most_lanes);
    lanes = rounded_up(vectors, tiles);
    rows = norm_threads / lanes;
    sections = std::clamp(pixels / (rows * pixels_of_thread), 1, rounded_up(wanted_blocks, tiles));
  }

  [[nodiscard]] LaunchShape launch_shape() const {
    return {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(sections)),
            dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(rows))};
  }
  /// For two doubles per section and channel.
  [[nodiscard]] std::size_t scratch_bytes() const {
    return std::size_t{2} * static_cast<std::size_t>(sections) * static_cast<std::size_t>(padded_channels) *
           sizeof(double);
  }

  /// The first pixel of a section; the next one's is its end.
  [[nodiscard]] __device__ __forceinline__ int begin(int section) const {
    return static_cast<int>(static_cast<std::int64_t>(pixels) * section / sections);
  }
  /// Of a thread's vector.
  template <int Count>
  [[nodiscard]] __device__ __forceinline__ int channel() const {
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * Count;
  }

  /// Calls use(pixel, load(pixel)) for every pixel of the thread's section that is the thread's; loads four
  /// pixels before it uses one, so that as many reads are under way.
  template <class Load, class Use>
  __device__ __forceinline__ void for_each_pixel(const Load& load, const Use& use) const {
    constexpr int ahead = 4;
    const int section = static_cast<int>(blockIdx.y), end = begin(section + 1);
    std::int64_t pixel = begin(section) + static_cast<int>(threadIdx.y);
    for (; pixel + (ahead - 1) * rows < end; pixel += ahead * rows) {
      decltype(load(pixel)) loaded[ahead];
#pragma unroll
      for (int i = 0; i < ahead; ++i) loaded[i] = load(pixel + i * rows);
#pragma unroll
      for (int i = 0; i < ahead; ++i) use(pixel + i * rows, loaded[i]);
    }
    for (; pixel < end; pixel += rows) use(pixel, load(pixel));
  }
};

/// Count constants of the channels from `channel` on, of (C), or zeros for null; `past` behind C.
template <int Count>
struct ChannelFloats {
  float value[Count];

  __device__ __forceinline__ ChannelFloats(const float* from, int channel, int channels, float past = 0) {
#pragma unroll
    for (int e = 0; e < Count; ++e) value[e] = past;
    if (from == nullptr) return;
    if (channels % 4 == 0) {
#pragma unroll
      for (int e = 0; e < Count; e += 4) {
        if (channel + e >= channels) continue;
        const auto part = load_vector<4>(from + channel + e);
#pragma unroll
        for (int j = 0; j < 4; ++j) value[e + j] = part[j];
      }
    } else {
#pragma unroll
      for (int e = 0; e < Count; ++e) {
        if (channel + e < channels) value[e] = from[channel + e];
      }
    }
  }
  __device__ __forceinline__ float operator[](int i) const {
    return value[i];  // a register: i is known once loops are unrolled
  }
};

/// norm(x) = (x - mean) * factor + shift. Where |mean| is much larger than the deviation, this loses less
/// than a multiplication and an addition. Forward and backward make it here, so that both see the same sign.
template <int Count>
struct Normalization {
  ChannelFloats<Count> mean, factor, shift;

  __device__ __forceinline__ Normalization(const float* scale, const float* its_shift, const float* its_mean,
                                           const float* inverse_std, int channel, int channels)
      : mean(its_mean, channel, channels),
        factor(scale, channel, channels),
        shift(its_shift, channel, channels) {
    const ChannelFloats<Count> inverse(inverse_std, channel, channels);
#pragma unroll
    for (int e = 0; e < Count; ++e) factor.value[e] *= inverse[e];
  }
  __device__ __forceinline__ float operator()(float x, int e) const {
    return fmaf(x - mean[e], factor[e], shift[e]);
  }
};

/// Room of a block for two numbers per thread and channel, as (rows, lanes * Count).
template <int Count>
inline constexpr int norm_room{Count * norm_threads};

/// Writes the sums of a block's section: first and second, of each of its channels c, are made by
/// sum_rows(c), c counted in the tile, from what the rows left in shared memory. To be called by all threads,
/// after a barrier. partial: (2, sections, padded channels).
template <int Count, class SumRows>
__device__ __forceinline__ void store_section(const NormTiles& tiles, double* partial,
                                              const SumRows& sum_rows) {
  const int width = tiles.lanes * Count, first = static_cast<int>(blockIdx.x) * width;
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  for (int c = thread; c < width && first + c < tiles.channels; c += tiles.lanes * tiles.rows) {
    const auto [a, b] = sum_rows(c);
    const std::int64_t at = static_cast<std::int64_t>(blockIdx.y) * tiles.padded_channels + first + c;
    partial[at] = a;
    partial[at + static_cast<std::int64_t>(tiles.sections) * tiles.padded_channels] = b;
  }
}

struct PairOfSums {
  double first, second;
};

inline constexpr int merge_channels = 8, merge_rows = 32;  ///< of a block that adds up sections

/// Calls body(c, sums) for each of the block's channels, by one thread, with the sums over all sections of
/// what term(section, first, second) makes of the partial sums; blocks of (8, 32) threads.
template <class Term, class Body>
__device__ __forceinline__ void sum_sections(const NormTiles& tiles, const double* partial, const Term& term,
                                             const Body& body) {
  TPN_SHARED(double, first, merge_rows* merge_channels);
  TPN_SHARED(double, second, merge_rows* merge_channels);
  const int column = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int c = static_cast<int>(blockIdx.x) * merge_channels + column;
  PairOfSums sum{0, 0};
  if (c < tiles.channels) {
#pragma unroll 4
    for (int section = row; section < tiles.sections; section += merge_rows) {
      const std::int64_t at = static_cast<std::int64_t>(section) * tiles.padded_channels + c;
      const PairOfSums more =
          term(section, c,
               PairOfSums{partial[at],
                          partial[at + static_cast<std::int64_t>(tiles.sections) * tiles.padded_channels]});
      sum.first += more.first;
      sum.second += more.second;
    }
  }
  first[row * merge_channels + column] = sum.first;
  second[row * merge_channels + column] = sum.second;
  __syncthreads();
  if (row != 0 || c >= tiles.channels) return;
  for (int r = 1; r < merge_rows; ++r) {
    sum.first += first[r * merge_channels + column];
    sum.second += second[r * merge_channels + column];
  }
  body(c, sum);
}

/// Of kernels that call sum_sections().
inline LaunchShape merge_shape(const NormTiles& tiles) {
  return {dim3(static_cast<unsigned>((tiles.channels + merge_channels - 1) / merge_channels)),
          dim3(merge_channels, merge_rows)};
}

/// Of kernels with a thread for each channel.
inline LaunchShape channel_shape(const NormTiles& tiles) {
  return {dim3(static_cast<unsigned>((tiles.channels + norm_threads - 1) / norm_threads)),
          dim3(norm_threads)};
}

}  // namespace tpn::cuda
