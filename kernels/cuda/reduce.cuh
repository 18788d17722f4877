// Sums and maxima over the lanes of a warp. All lanes call these together; all receive the result.
#pragma once

#include "kernels/cuda/device.cuh"

namespace tpn::cuda {

inline constexpr int warp_size = 32;

template <class Real>
__device__ __forceinline__ Real warp_sum(Real value) {
#pragma unroll
  for (int step = warp_size / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffU, value, step);
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int step = warp_size / 2; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, step));
  }
  return value;
}

/// Sum of a[i] b[i] over i < count, for the whole warp. Count (4 or 1) elements are read at once; count is a
/// multiple of it, and both arrays are aligned to it.
template <int Count>
__device__ __forceinline__ float warp_dot(const float* a, const float* b, int count, int lane) {
  float sum = 0;
  for (int i = lane * Count; i < count; i += warp_size * Count) {
    const auto left = load_vector<Count>(a + i), right = load_vector<Count>(b + i);
#pragma unroll
    for (int e = 0; e < Count; ++e) sum = fmaf(left[e], right[e], sum);
  }
  return warp_sum(sum);
}

/// What softmax needs of a row: max x, and the sum of exp(x - max x).
struct SoftmaxTerms {
  float top;
  float sum;
};

/// Of x[0, classes), classes >= 1, for the whole warp. A lane reads the elements lane, lane + 32, ... only:
/// it may overwrite them afterwards.
__device__ __forceinline__ SoftmaxTerms softmax_terms(const float* x, int classes, int lane) {
  float top = -INFINITY;
  for (int k = lane; k < classes; k += warp_size) top = fmaxf(top, x[k]);
  top = warp_max(top);
  float sum = 0;
  for (int k = lane; k < classes; k += warp_size) sum += expf(x[k] - top);
  return {top, warp_sum(sum)};
}

}  // namespace tpn::cuda
