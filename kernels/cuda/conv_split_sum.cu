// Sums the partial sums that a convolution in splits has left, in the order of the splits, and finishes them.
//
// Why splits: a layer of few output positions has too few tiles to fill the machine; its depth is then cut,
// and each part summed by blocks of its own. Why a second kernel: the result does not depend on which block
// ends last.
// Bytes: splits x rows x channels x 4 read (mostly from L2), y written, the residual read.
#include "kernels/cuda/conv_epilogue.cuh"
#include "kernels/cuda/conv_variants.h"

namespace tpn::cuda {
namespace {

/// T: an element of y. One thread per 16 bytes of y.
template <class T>
__global__ void __launch_bounds__(conv_threads) conv_split_sum_kernel(const ConvProblem p) {
  constexpr int vector = vector_size<T>;
  const int row_vectors = p.sizes.channels / vector;
  const int index = static_cast<int>(blockIdx.x * conv_threads + threadIdx.x);
  const int row = index / row_vectors;
  const int channel = index % row_vectors * vector;
  if (row >= p.sizes.rows) return;

  Vector<T, vector> residual{};
  if (p.residual != nullptr) residual = load_residual<T>(p, row, channel);
  float sum[vector] = {};
  for (int split = 0; split < p.schedule.splits; ++split) {
    const float* from = partial_sum(p, split, row, channel);
#pragma unroll
    for (int i = 0; i < vector; i += 4) {
      const Vector<float, 4> part = load_vector<4>(from + i);
#pragma unroll
      for (int j = 0; j < 4; ++j) sum[i + j] += part[j];
    }
  }
  finish<T>(p, row, channel, sum, channel_parameters<vector>(p, channel), residual);
}

}  // namespace

ConvKernelFunction conv_split_sum(ConvType type) {
  switch (type) {
    case ConvType::f16:
      return conv_split_sum_kernel<F16>;
    case ConvType::bf16:
      return conv_split_sum_kernel<Bf16>;
    case ConvType::f32:
    case ConvType::tf32:
      break;
  }
  return conv_split_sum_kernel<float>;
}

}  // namespace tpn::cuda
