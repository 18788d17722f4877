// Convolution as an implicit matrix product with exact f32 products.
//
// What: y = relu(scale * conv3d(shift(x), weight) + bias + residual), see conv_problem.h.
// Why this way: as on tensor cores (mma_conv3d.cuh), but each thread multiplies 2 elements of depth of
// RowCount rows with ColumnCount columns: 16 reads of 8 bytes for 128 products in the largest tile. Its rows
// and columns lie apart such that lanes side by side read rows side by side in shared memory, which the
// swizzle puts into different banks, and such that its columns come in fours, which one 16-byte store takes.
// Work: as on tensor cores; 128 (sm_80: 64) products per clock of a multiprocessor are the limit.
#include <array>

#include "kernels/cuda/conv_epilogue.cuh"
#include "kernels/cuda/conv_tiles.cuh"
#include "kernels/cuda/conv_variants.h"
#include "kernels/cuda/simt_steps.cuh"

namespace tpn::cuda {
namespace {

/// 16 x 16 threads, each with RowCount x ColumnCount sums. Resident: blocks that should fit a multiprocessor.
template <int RowCount, int ColumnCount, int Resident>
struct SimtTile {
  static constexpr int row_count = RowCount;
  static constexpr int column_count = ColumnCount;
  static constexpr int resident = Resident;
  static constexpr int side = 16;  ///< threads
  static constexpr int threads = side * side;
  static constexpr int rows = side * RowCount;
  static constexpr int columns = side * ColumnCount;
  static constexpr int depth_bytes = 64;
  static constexpr int stages = 4;
  using Loader = ConvLoader<float, rows, columns, depth_bytes, threads>;
  static constexpr int shared_bytes = stages * Loader::step_bytes;
  /// Column 4 q + i of the tile lies in row i * quads + q: a thread has columns of equal i side by side with
  /// those of its neighbours.
  static constexpr int quads = columns / 4;
  static_assert(ColumnCount % 4 == 0 && (Loader::pass_rows % quads == 0 || Loader::pass_rows == columns));
};

/// Adds the products of a step of depth. row, column: the thread's place.
template <class Tile>
__device__ __forceinline__ void multiply(float (&sum)[Tile::row_count][Tile::column_count],
                                         const unsigned char* step, int row, int column) {
  using Loader = typename Tile::Loader;
  const unsigned char* x = step + row * Tile::depth_bytes;
  const unsigned char* weights = step + Loader::x_bytes + column * Tile::depth_bytes;
#pragma unroll 2
  for (int half = 0; half < 2 * Loader::row_chunks; ++half) {  // of a chunk: a whole one takes more registers
    const int x_at = (half / 2 ^ Loader::swizzle(row)) * 16 + half % 2 * 8;
    const int weight_at = (half / 2 ^ Loader::swizzle(column)) * 16 + half % 2 * 8;
    Vector<float, 2> b[Tile::column_count];
#pragma unroll
    for (int j = 0; j < Tile::column_count; ++j) {
      const int tile_row = j % 4 * Tile::quads + j / 4 * Tile::side;
      b[j] =
          load_vector<2>(reinterpret_cast<const float*>(weights + tile_row * Tile::depth_bytes + weight_at));
    }
#pragma unroll
    for (int i = 0; i < Tile::row_count; ++i) {
      const Vector<float, 2> a =
          load_vector<2>(reinterpret_cast<const float*>(x + i * Tile::side * Tile::depth_bytes + x_at));
#pragma unroll
      for (int k = 0; k < 2; ++k) {
#pragma unroll
        for (int j = 0; j < Tile::column_count; ++j) sum[i][j] = fmaf(a[k], b[j][k], sum[i][j]);
      }
    }
  }
}

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::resident) simt_conv3d(const ConvProblem p) {
  using Loader = typename Tile::Loader;
  TPN_DYNAMIC_SHARED(unsigned char, shared);

  const int thread = static_cast<int>(threadIdx.x);
  const auto [row, column] = simt_place(thread);
  const ConvBlock block = conv_block<Tile::rows, Tile::columns>(p.schedule);
  float sum[Tile::row_count][Tile::column_count] = {};

  Loader loader(
      p, block, thread, [](int at) { return at % Tile::quads * 4 + at / Tile::quads; },
      Loader::pass_rows / Tile::quads);
  for_each_step<Tile::stages, Loader::step_bytes>(
      loader, shared, block.steps,
      [&, row = row, column = column](const unsigned char* step) { multiply<Tile>(sum, step, row, column); });

#pragma unroll
  for (int j = 0; j < Tile::column_count; j += 4) {
    const int y_column = block.column + j * Tile::side + column * 4;
    if (y_column >= (p.sizes.columns + 7) / 8 * 8) continue;
    const int channel = block.group * p.sizes.columns + y_column;
    const ChannelParameters<4> parameters = channel_parameters<4>(p, channel);
#pragma unroll
    for (int i = 0; i < Tile::row_count; ++i) {
      const int y_row = block.row + i * Tile::side + row;
      if (y_row >= p.sizes.rows) continue;
      const float(&four)[4] = *reinterpret_cast<const float(*)[4]>(&sum[i][j]);
      if (p.schedule.splits > 1) {
        store_vector(partial_sum(p, block.split, y_row, channel),
                     Vector<float, 4>{{four[0], four[1], four[2], four[3]}});
        continue;
      }
      Vector<float, 4> residual{};
      if (p.residual != nullptr) residual = load_residual<float>(p, y_row, channel);
      finish<float>(p, y_row, channel, four, parameters, residual);
    }
  }
}

template <class Tile>
constexpr ConvVariant simt_variant() {
  constexpr double reads = 16.0 * (Tile::row_count + Tile::column_count);
  return {{Tile::rows, Tile::columns, Tile::depth_bytes, Tile::stages, Tile::threads, Tile::resident,
           Tile::shared_bytes, reads / (4.0 * Tile::row_count * Tile::column_count)},
          simt_conv3d<Tile>};
}

constexpr std::array variants{simt_variant<SimtTile<8, 8, 2>>(), simt_variant<SimtTile<8, 4, 2>>(),
                              simt_variant<SimtTile<4, 4, 2>>()};

}  // namespace

std::span<const ConvVariant> conv_variants_f32() {
  return variants;
}

}  // namespace tpn::cuda
