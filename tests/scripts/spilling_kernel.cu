// A kernel with more live values than its registers hold: that the build refuses it is a test.
#include <cuda_runtime.h>

__global__ void __launch_bounds__(1024, 2) spilling_kernel(float* values, int count) {
  constexpr int live = 64;
  float v[live];
#pragma unroll
  for (int i = 0; i < live; ++i) v[i] = values[i * count + static_cast<int>(threadIdx.x)];
  for (int k = 0; k < count; ++k) {
#pragma unroll
    for (int i = 0; i < live; ++i) v[i] = v[i] * v[(i + 7) % live] + values[k];
  }
#pragma unroll
  for (int i = 0; i < live; ++i) values[i * count + static_cast<int>(threadIdx.x)] = v[i];
}
