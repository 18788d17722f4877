// The gradient of a convolution's weight as an implicit matrix product with exact f32 products.
//
// What: as mma_weight_gradient.cuh.
// Why this way: positions are the depth, and channels lie side by side in shared memory: each thread reads 16
// bytes of channels of a position at once, 4 reads for 64 products in the largest tile. A thread's rows and
// columns come in fours, 64 apart, so that lanes side by side read fours side by side.
// Work: as there; 128 (sm_80: 64) products per clock of a multiprocessor are the limit.
#include <array>

#include "kernels/cuda/simt_steps.cuh"
#include "kernels/cuda/weight_gradient_tiles.cuh"
#include "kernels/cuda/weight_gradient_variants.h"

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
  static constexpr int depth = 16;  ///< positions of a step
  static constexpr int stages = 4;
  using Loader = WeightGradientLoader<float, rows, columns, depth, stages, threads>;
  static constexpr int ring_bytes = stages * Loader::step_bytes;
  static constexpr int shared_bytes =
      ring_bytes + Loader::table_entries * static_cast<int>(sizeof(PositionOrigin));
  static_assert(RowCount % 4 == 0 && ColumnCount % 4 == 0);
};

/// Count elements of a position's row, fours of them 64 apart. four: the thread's first of them.
template <int Count>
__device__ __forceinline__ void read_fours(float (&to)[Count], const unsigned char* row, int four,
                                           int position) {
#pragma unroll
  for (int i = 0; i < Count; i += 4) {
    const std::ptrdiff_t chunk = (four + i * 4) ^ position_swizzle<float>(position);
    const Vector<float, 4> part = load_vector<4>(reinterpret_cast<const float*>(row + chunk * 16));
#pragma unroll
    for (int j = 0; j < 4; ++j) to[i + j] = part[j];
  }
}

/// Adds the products of a step. row, column: the thread's place.
template <class Tile>
__device__ __forceinline__ void multiply(float (&sum)[Tile::row_count][Tile::column_count],
                                         const unsigned char* step, int row, int column) {
  using Loader = typename Tile::Loader;
#pragma unroll 2  // more take more registers
  for (int position = 0; position < Tile::depth; ++position) {
    float a[Tile::row_count], b[Tile::column_count];
    read_fours(a, step + position * Loader::y_row_bytes, row, position);
    read_fours(b, step + Loader::y_bytes + position * Loader::x_row_bytes, column, position);
#pragma unroll
    for (int i = 0; i < Tile::row_count; ++i) {
#pragma unroll
      for (int j = 0; j < Tile::column_count; ++j) sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
    }
  }
}

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::resident)
    simt_weight_gradient(const WeightGradientProblem p) {
  using Loader = typename Tile::Loader;
  TPN_DYNAMIC_SHARED(unsigned char, shared);

  const int thread = static_cast<int>(threadIdx.x);
  const auto [row, column] = simt_place(thread);
  const ConvBlock block = conv_block<Tile::rows, Tile::columns>(p.schedule);
  float sum[Tile::row_count][Tile::column_count] = {};
  Loader loader(p, block, thread, reinterpret_cast<PositionOrigin*>(shared + Tile::ring_bytes));
  for_each_step<Tile::stages, Loader::step_bytes>(
      loader, shared, block.steps,
      [&, row = row, column = column](const unsigned char* step) { multiply<Tile>(sum, step, row, column); });

#pragma unroll
  for (int i = 0; i < Tile::row_count; ++i) {
    const int to_row = block.row + i / 4 * 64 + row * 4 + i % 4;
    if (to_row >= p.sizes.columns) continue;
#pragma unroll
    for (int j = 0; j < Tile::column_count; j += 4) {
      const int to_column = block.column + j * Tile::side + column * 4;
      if (to_column >= p.sizes.row_elements) continue;
      store_vector(partial_sum(p, block, to_row, to_column),
                   Vector<float, 4>{{sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]}});
    }
  }
}

template <class Tile>
constexpr WeightGradientVariant simt_weight_gradient_variant() {
  constexpr double reads = 4.0 * (Tile::row_count + Tile::column_count);
  return {{.rows = Tile::rows,
           .columns = Tile::columns,
           .depth_bytes = Tile::depth * 4,
           .stages = Tile::stages,
           .threads = Tile::threads,
           .resident = Tile::resident,
           .shared_bytes = Tile::shared_bytes,
           .shared_bytes_per_product = reads / (Tile::row_count * Tile::column_count)},
          simt_weight_gradient<Tile>};
}

constexpr std::array variants{simt_weight_gradient_variant<SimtTile<8, 8, 2>>(),
                              simt_weight_gradient_variant<SimtTile<8, 4, 2>>(),
                              simt_weight_gradient_variant<SimtTile<4, 4, 2>>()};

}  // namespace

std::span<const WeightGradientVariant> weight_gradient_variants_f32() {
  return variants;
}

}  // namespace tpn::cuda
