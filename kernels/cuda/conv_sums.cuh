// How a warp stores sums that it holds as fragments of matrix products: through shared memory of its own they
// become rows of 16 bytes per lane, because the layout of fragments would give stores of 4.
#pragma once

#include "kernels/cuda/conv_epilogue.cuh"
#include "kernels/cuda/conv_tiles.cuh"

namespace tpn::cuda {

/// Strips of 16 rows and `Columns` columns of sums, as mma_block lays them out. T: an element in memory.
template <class T, int Columns>
class SumStrip {
 public:
  static constexpr int row_lanes = Columns / vector_size<T>;  ///< that share a row
  static constexpr int pass_rows = 32 / row_lanes;            ///< that a warp stores at once
  static constexpr int passes = 16 / pass_rows;
  /// The distance of rows in shared memory makes their stores hit all banks.
  static constexpr int staged_row = Columns + 8;
  static constexpr int staged_floats = 16 * staged_row;

  /// The row of the strip that a lane stores in a pass.
  __device__ static __forceinline__ int row(int lane, int pass) {
    return lane / row_lanes + pass * pass_rows;
  }

  /// Leaves a strip in shared memory, staged_floats there; __syncwarp() before store(). sum: [Columns /
  /// 8][4].
  __device__ static __forceinline__ void stage(float* staging, int lane, const float (*sum)[4]) {
#pragma unroll
    for (int n = 0; n < Columns / 8; ++n) {
      float* at = staging + lane / 4 * staged_row + n * 8 + lane % 4 * 2;
      store_vector(at, Vector<float, 2>{{sum[n][0], sum[n][1]}});
      store_vector(at + 8 * staged_row, Vector<float, 2>{{sum[n][2], sum[n][3]}});
    }
  }

  /// A strip of these output positions, one for each row() of the lane (-1: none), and of the columns from
  /// `column` of the group on; loads what the epilogue needs.
  __device__ __forceinline__ SumStrip(const ConvProblem& p, const ConvBlock& block, int column, int lane,
                                      const int (&positions)[passes])
      : lane_(lane), split_(block.split) {
    staged_column_ = lane % row_lanes * vector;
    channel_ = block.group * p.sizes.columns + column + staged_column_;
    const bool stores = column + staged_column_ < (p.sizes.columns + 7) / 8 * 8;
    if (stores) parameters_ = channel_parameters<vector>(p, channel_);
#pragma unroll
    for (int pass = 0; pass < passes; ++pass) {
      positions_[pass] = stores ? positions[pass] : -1;
      residual_[pass] = {};
      if (p.residual != nullptr && p.schedule.splits == 1 && positions_[pass] >= 0) {
        residual_[pass] = load_residual<T>(p, positions_[pass], channel_);
      }
    }
  }

  /// Finishes and stores it.
  __device__ __forceinline__ void store(const ConvProblem& p, const float* staging) const {
#pragma unroll
    for (int pass = 0; pass < passes; ++pass) {
      const float* from = staging + row(lane_, pass) * staged_row + staged_column_;
      float values[vector];
#pragma unroll
      for (int i = 0; i < vector; i += 4) {
        const Vector<float, 4> four = load_vector<4>(from + i);
#pragma unroll
        for (int j = 0; j < 4; ++j) values[i + j] = four[j];
      }
      if (positions_[pass] < 0) continue;
      if (p.schedule.splits == 1) {
        finish<T>(p, positions_[pass], channel_, values, parameters_, residual_[pass]);
      } else {
        float* to = partial_sum(p, split_, positions_[pass], channel_);
#pragma unroll
        for (int i = 0; i < vector; i += 4) {
          store_vector(to + i, Vector<float, 4>{{values[i], values[i + 1], values[i + 2], values[i + 3]}});
        }
      }
    }
  }

 private:
  static constexpr int vector = vector_size<T>;

  int lane_, split_;
  int staged_column_, channel_;
  int positions_[passes];
  Vector<T, vector> residual_[passes];
  ChannelParameters<vector> parameters_;
};

}  // namespace tpn::cuda
