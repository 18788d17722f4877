// Small kernels for the emulator's own tests, and how these start them.
#pragma once

#include <cstdint>
#include <string>

#include <cuda_runtime.h>

#include "kernels/half.h"

namespace tpn::cuda_on_cpu::test {

/// Where and with what a kernel is started.
struct Shape {
  dim3 grid{1};
  dim3 block{32};
  std::size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;
};

/// Starts kernel(arguments...) and gives what CUDA answers.
template <class... Parameters, class... Arguments>
cudaError_t start(const char* name, void (*kernel)(Parameters...), const Shape& shape,
                  Arguments... arguments) {
  name_kernel(reinterpret_cast<const void*>(kernel), name);
  if (shape.shared_bytes > std::size_t{48} * 1024) {
    const cudaError_t status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                    static_cast<int>(shape.shared_bytes));
    if (status != cudaSuccess) return status;
  }
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = shape.stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/// out[i] = place of thread i: x y z of the thread, x y z of the block, 8 bits each.
void places(std::uint64_t* out);

/// order[i] = the i-th thread of the block that came by; block 0 only.
void arrival_order(int* order, int* count);

/// out[thread]: the sum over the block, made in shared memory.
void block_sum(const float* in, float* out);

/// votes[0]: __syncthreads_count, [1] _or, [2] _and of (thread < limit); one block.
void block_votes(int* votes, int limit);

/// out[4 i + ...]: shuffles from lane i + 3, up 2, down 2, exclusive or 5, within `width`.
void shuffles(const int* in, int* out, int width);

/// out[2 i], out[2 i + 1]: ballot of (i odd), and the sum over the half warp by shuffles with half masks.
void warp_votes(unsigned* out);

/// Adds and compares atomically from all threads: sums[0] += 1, sums[1] = max(index), [2] = min(index), [3]
/// counts with compare and swap; total += 0.5.
void atomics(int* sums, float* total);

/// out[i] = the bits found in shared memory that nobody wrote: 4 of an array, 4 of the dynamic memory.
void fresh_shared(std::uint32_t* out);

/// Copies 16 bytes a thread through shared memory with cp.async, the last `zeros` threads zeros; before[i]:
/// what the destination held between issue and wait.
void copy_through_shared(const std::uint32_t* in, std::uint32_t* out, std::uint32_t* before, int zeros);

/// One warp: ldmatrix_x4 of 32 rows of 16 bytes, transposed or not; out[4 lane + i].
void load_matrices(const std::uint32_t* in, std::uint32_t* out, bool transposed);

/// One warp: out (16 m x 8 n, row-major) = a (16 m x depth) b (8 n x depth)^T + out; depth: 16, or 8 for
/// tf32.
void multiply_bf16(const Bf16* a, const Bf16* b, float* out);
void multiply_f16(const F16* a, const F16* b, float* out);
void multiply_tf32(const float* a, const float* b, float* out);
inline constexpr int product_m = 3;  // tiles
inline constexpr int product_n = 5;

/// out[i] = in[i] + 1.
void add_one(const float* in, float* out, int count);

}  // namespace tpn::cuda_on_cpu::test
