// Matrix products of grouped convolutions: what temporal modulation and level fusion have in common.
//
// A block computes a tile of pixels x outputs (output channels). The input channels that the tile's outputs
// read, those of their groups, lie in shared memory as rows: one pixel a row, `row_stride` elements apart.
// Each thread holds some elements of the tile in registers, in `runs` runs of `run` adjacent outputs. Two
// kinds of tile do the work, and kernels are templates over them:
//   FmaTile  any type and any group: a lane for each output, one FMA for each product. A warp's lanes read
//            32 adjacent weights at once and the same x, so that 12 products in time take 7 reads.
//   MmaTile  f16 and bf16 on tensor cores, for groups of 16 k channels in, and 16 or 32 k out. The tile lies
//            within one group, whose weights it keeps in shared memory.
// With taps, tap a of the weight adds into sum[a]: what these are the kernel knows.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/grouped_weights.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/reduce.cuh"

namespace tpn::cuda {

/// What a kernel over tiles knows of its convolution.
struct GroupedShape {
  int in_per_group = 1, out_per_group = 1;
  int outputs = 1;          ///< O
  int padded_outputs = 8;   ///< O rounded up to 8: these are written
  int padded_channels = 8;  ///< C rounded up to 8: these can be read
  int row_stride = 8;       ///< elements from a row in shared memory to the next
  Divisor row_vectors;      ///< 16-byte vectors of a row that are filled, for any tile

  /// The first channel in the rows of the tile that begins with this output: a multiple of `vector`.
  [[nodiscard]] __host__ __device__ int first_channel(int first_output, int vector) const {
    return (first_output / out_per_group * in_per_group) & -vector;
  }
};

/// Where a run of a tile lies.
struct TilePlace {
  int pixel;
  int output;  ///< the first, both from the tile's beginning
};

/// See above. Step: channels of x that are read at once, vector_size<T> if the groups' sizes are multiples
/// of it, otherwise 1.
template <class T, int Taps, int Step>
class FmaTile {
 public:
  using Element = T;
  static constexpr WeightOrder order = WeightOrder::by_channel;
  static constexpr int threads = 256, pixels = 32, outputs = 32;
  static constexpr int runs = pixels * outputs / threads, run = 1;

  /// Elements of shared memory that it wants for itself.
  static int shared_elements(const GroupedShape&) { return 0; }

  __device__ __forceinline__ FmaTile(const T* weights, const GroupedShape& shape, int first_output, T*)
      : shape_(shape), columns_((shape.outputs + output_alignment - 1) & -output_alignment) {
    const int output = first_output + lane();
    weights_ = weights + output;
    const int group = min(output, shape.outputs - 1) / shape.out_per_group;
    channel_ = group * shape.in_per_group - shape.first_channel(first_output, vector_size<T>);
  }

  __device__ __forceinline__ void accumulate(float (&sum)[Taps][runs * run], const T* rows) const {
    const T* row = rows + warp() * runs * shape_.row_stride + channel_;
    const T* weight = weights_;
    for (int c = 0; c < shape_.in_per_group; c += Step) {
      Vector<T, Step> x[runs];
#pragma unroll
      for (int p = 0; p < runs; ++p) x[p] = load_vector<Step>(row + p * shape_.row_stride + c);
#pragma unroll
      for (int e = 0; e < Step; ++e) {
#pragma unroll
        for (int a = 0; a < Taps; ++a) {
          const float w = to_float(*weight);
          weight += columns_;
#pragma unroll
          for (int p = 0; p < runs; ++p) sum[a][p] = fmaf(to_float(x[p][e]), w, sum[a][p]);
        }
      }
    }
  }

  [[nodiscard]] __device__ __forceinline__ static TilePlace place(int i) {
    return {warp() * runs + i, lane()};
  }

 private:
  [[nodiscard]] __device__ __forceinline__ static int lane() {
    return static_cast<int>(threadIdx.x) % warp_size;
  }
  [[nodiscard]] __device__ __forceinline__ static int warp() {
    return static_cast<int>(threadIdx.x) / warp_size;
  }

  const GroupedShape& shape_;
  const T* weights_;
  int columns_;
  int channel_;  ///< of the lane's group, from the beginning of the rows
};

/// See above: each of 4 warps has 16 pixels and all outputs. Rows of x and of the weights are an odd number
/// of 16-byte vectors apart (shape.row_stride), so that the 8 rows of a matrix that ldmatrix reads at once
/// lie in different banks.
template <class T, int Taps, int OutputTiles>
class MmaTile {
 public:
  using Element = T;
  static constexpr WeightOrder order = WeightOrder::by_output;
  static constexpr int threads = 128, pixels = 64, outputs = 8 * OutputTiles;
  static constexpr int runs = 2 * OutputTiles, run = 2;
  static_assert(OutputTiles % 2 == 0);

  static int shared_elements(const GroupedShape& shape) { return outputs * Taps * shape.row_stride; }

  /// Starts copying the weights to shared memory: they are there after the caller's next cp_async_wait for
  /// everything so far and a barrier.
  __device__ __forceinline__ MmaTile(const T* weights, const GroupedShape& shape, int first_output, T* shared)
      : shape_(shape), weights_(shared) {
    constexpr int size = vector_size<T>;
    const int vectors = shape.in_per_group / size;
    const T* from = weights + static_cast<std::int64_t>(first_output) * Taps * shape.in_per_group;
    for (int i = static_cast<int>(threadIdx.x); i < outputs * Taps * vectors; i += threads) {
      const int row = i / vectors, vector = i % vectors;
      cp_async_16(shared + row * shape.row_stride + vector * size, from + i * size, true);
    }
    cp_async_commit();
  }

  __device__ __forceinline__ void accumulate(float (&sum)[Taps][runs * run], const T* rows) const {
    const int lane = static_cast<int>(threadIdx.x) % warp_size,
              warp = static_cast<int>(threadIdx.x) / warp_size;
    // The row and the column (elements) that this lane names to ldmatrix: of matrix lane / 8, row lane % 8.
    const int matrix = lane / 8;
    const T* x = rows + (warp * 16 + matrix % 2 * 8 + lane % 8) * shape_.row_stride + matrix / 2 * 8;
    const T* w = weights_ + (matrix / 2 * 8 + lane % 8) * Taps * shape_.row_stride + matrix % 2 * 8;
    for (int c = 0; c < shape_.in_per_group; c += 16) {
      std::uint32_t a[1][4];
      ldmatrix_x4(a[0], x + c);
#pragma unroll
      for (int tap = 0; tap < Taps; ++tap) {
        std::uint32_t b[OutputTiles][2];
#pragma unroll
        for (int n = 0; n < OutputTiles; n += 2) {
          std::uint32_t two[4];
          ldmatrix_x4(two, w + (n * 8 * Taps + tap) * shape_.row_stride + c);
          b[n][0] = two[0];
          b[n][1] = two[1];
          b[n + 1][0] = two[2];
          b[n + 1][1] = two[3];
        }
        float block[1][OutputTiles][4];
#pragma unroll
        for (int i = 0; i < runs * run; ++i) block[0][i / 4][i % 4] = sum[tap][i];
        mma_block<T, 1, OutputTiles>(block, a, b);
#pragma unroll
        for (int i = 0; i < runs * run; ++i) sum[tap][i] = block[0][i / 4][i % 4];
      }
    }
  }

  __device__ __forceinline__ static TilePlace place(int i) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size,
              warp = static_cast<int>(threadIdx.x) / warp_size;
    return {warp * 16 + i % 2 * 8 + lane / 4, i / 2 * 8 + lane % 4 * 2};
  }

 private:
  const GroupedShape& shape_;
  const T* weights_;
};

/// The shape for tiles of `tile_outputs` outputs.
template <class T>
GroupedShape grouped_shape(const GroupedSizes& sizes, const ActivationLayout& x, const ActivationLayout& y,
                           int tile_outputs) {
  constexpr int size = vector_size<T>;
  GroupedShape shape;
  shape.in_per_group = sizes.in_per_group;
  shape.out_per_group = sizes.out_per_group;
  shape.outputs = sizes.outputs;
  shape.padded_outputs = y.padded_channels();
  shape.padded_channels = x.padded_channels();
  int vectors = 0;
  for (int first = 0; first < sizes.outputs; first += tile_outputs) {
    const int last = std::min(first + tile_outputs, sizes.outputs) - 1;
    const int end = (last / sizes.out_per_group + 1) * sizes.in_per_group;
    vectors = std::max(vectors, (end - shape.first_channel(first, size) + size - 1) / size);
  }
  shape.row_vectors = Divisor(static_cast<std::uint32_t>(vectors));
  shape.row_stride = (vectors | 1) * size;
  return shape;
}

/// Shared memory (bytes) that a kernel over tiles may want: what devices of compute capability 8.6 have, and
/// those of 8.0 twice.
inline constexpr std::size_t most_shared_bytes = std::size_t{96} * 1024;

/// Calls make(std::type_identity<Tile>{}) for every kind of tile that can do it, the fastest first.
template <class T, int Taps, class Make>
void for_each_tile(const GroupedSizes& sizes, const Make& make) {
  if constexpr (sizeof(T) == 2) {
    if (sizes.in_per_group % 16 == 0 && sizes.out_per_group % 32 == 0) {
      make(std::type_identity<MmaTile<T, Taps, 4>>{});
    } else if (sizes.in_per_group % 16 == 0 && sizes.out_per_group % 16 == 0) {
      make(std::type_identity<MmaTile<T, Taps, 2>>{});
    }
  }
  if (sizes.in_per_group % vector_size<T> == 0) {
    make(std::type_identity<FmaTile<T, Taps, vector_size<T>>>{});
  } else {
    make(std::type_identity<FmaTile<T, Taps, 1>>{});
  }
}

template <class Tile>
std::string tile_name() {
  const std::string extents = std::to_string(Tile::pixels) + "x" + std::to_string(Tile::outputs);
  return (Tile::order == WeightOrder::by_output ? "mma_" : "fma_") + extents;
}

}  // namespace tpn::cuda
