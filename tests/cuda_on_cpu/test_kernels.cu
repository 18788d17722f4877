#include "kernels/cuda/device.cuh"
#include "tests/cuda_on_cpu/test_kernels.h"

namespace tpn::cuda_on_cpu::test {

namespace {

__device__ unsigned linear_thread() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

}  // namespace

__global__ void places(std::uint64_t* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  const unsigned values[6] = {threadIdx.x, threadIdx.y, threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z};
  std::uint64_t code = 0;
  for (int i = 0; i < 6; ++i) code |= std::uint64_t{values[i]} << (8 * i);
  out[block * threads + linear_thread()] = code;
}

__global__ void arrival_order(int* order, int* count) {
  const int place = atomicAdd(count, 1);
  order[place] = static_cast<int>(threadIdx.x);
}

__global__ void __launch_bounds__(256) block_sum(const float* in, float* out) {
  TPN_SHARED(float, values, 256);
  values[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
    __syncthreads();
  }
  out[threadIdx.x] = values[0];
}

__global__ void block_votes(int* votes, int limit) {
  const int predicate = static_cast<int>(threadIdx.x) < limit ? 1 : 0;
  const int count = __syncthreads_count(predicate);
  const int any = __syncthreads_or(predicate);
  const int all = __syncthreads_and(predicate);
  if (threadIdx.x != 0) return;
  votes[0] = count;
  votes[1] = any;
  votes[2] = all;
}

__global__ void shuffles(const int* in, int* out, int width) {
  const int lane = static_cast<int>(threadIdx.x);
  const int value = in[lane];
  out[4 * lane] = __shfl_sync(0xffffffffU, value, lane + 3, width);
  out[4 * lane + 1] = __shfl_up_sync(0xffffffffU, value, 2, width);
  out[4 * lane + 2] = __shfl_down_sync(0xffffffffU, value, 2, width);
  out[4 * lane + 3] = __shfl_xor_sync(0xffffffffU, value, 5, width);
}

__global__ void warp_votes(unsigned* out) {
  const unsigned lane = threadIdx.x;
  out[2 * lane] = __ballot_sync(0xffffffffU, static_cast<int>(lane & 1U));
  // The halves of the warp take different ways and meet only among themselves.
  if (lane < 16) {
    unsigned sum = lane;
    for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(0x0000ffffU, sum, step);
    out[2 * lane + 1] = sum;
  } else {
    unsigned sum = lane;
    for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(0xffff0000U, sum, step);
    out[2 * lane + 1] = sum;
  }
}

__global__ void atomics(int* sums, float* total) {
  const int index = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(sums, 1);
  atomicMax(sums + 1, index);
  atomicMin(sums + 2, index);
  int seen = 0;
  for (int expected = -1; seen != expected; seen = atomicCAS(sums + 3, expected, expected + 1))
    expected = seen;
  atomicAdd(total, 0.5F);
}

__global__ void fresh_shared(std::uint32_t* out) {
  TPN_SHARED(std::uint32_t, words, 4);
  TPN_DYNAMIC_SHARED(std::uint32_t, more);
  for (unsigned i = 0; i < 4; ++i) {
    out[i] = words[i];
    out[4 + i] = more[i];
  }
}

__global__ void copy_through_shared(const std::uint32_t* in, std::uint32_t* out, std::uint32_t* before,
                                    int zeros) {
  TPN_DYNAMIC_SHARED(std::uint32_t, words);
  const unsigned i = threadIdx.x;
  const bool valid = static_cast<int>(i) < static_cast<int>(blockDim.x) - zeros;
  cuda::cp_async_16(words + 4 * i, in + 4 * i, valid);
  cuda::cp_async_commit();
  before[i] = words[4 * i];
  cuda::cp_async_16(words + 4 * (blockDim.x + i), in + 4 * i, true);
  cuda::cp_async_commit();
  cuda::cp_async_wait<1>();
  for (unsigned word = 0; word < 4; ++word) out[4 * i + word] = words[4 * i + word];
  cuda::cp_async_wait<0>();
}

__global__ void load_matrices(const std::uint32_t* in, std::uint32_t* out, bool transposed) {
  TPN_SHARED(std::uint32_t, rows, 128);
  const unsigned lane = threadIdx.x;
  for (unsigned i = 0; i < 4; ++i) rows[4 * lane + i] = in[4 * lane + i];
  __syncwarp();
  std::uint32_t registers[4];
  transposed ? cuda::ldmatrix_x4_transposed(registers, rows + 4 * lane)
             : cuda::ldmatrix_x4(registers, rows + 4 * lane);
  for (unsigned i = 0; i < 4; ++i) out[4 * lane + i] = registers[i];
}

namespace {

/// The words of `words` with 32 bytes a row, as fragments; see mma_block.
template <class T>
__device__ void multiply(const std::uint32_t* a_words, const std::uint32_t* b_words, float* out) {
  const unsigned row = threadIdx.x / 4;
  const unsigned column = threadIdx.x % 4;
  float sum[product_m][product_n][4];
  std::uint32_t a[product_m][4];
  std::uint32_t b[product_n][2];
  const auto place = [&](int m, int n, int i) {
    return (16 * m + row + i / 2 * 8) * (8 * product_n) + 8 * n + 2 * column + i % 2;
  };
  for (int m = 0; m < product_m; ++m) {
    for (int i = 0; i < 4; ++i) a[m][i] = a_words[(16 * m + row + i % 2 * 8) * 8 + column + i / 2 * 4];
    for (int n = 0; n < product_n; ++n) {
      for (int i = 0; i < 4; ++i) sum[m][n][i] = out[place(m, n, i)];
    }
  }
  for (int n = 0; n < product_n; ++n) {
    for (int i = 0; i < 2; ++i) b[n][i] = b_words[(8 * n + row) * 8 + column + i * 4];
  }
  cuda::mma_block<T>(sum, a, b);
  for (int m = 0; m < product_m; ++m) {
    for (int n = 0; n < product_n; ++n) {
      for (int i = 0; i < 4; ++i) out[place(m, n, i)] = sum[m][n][i];
    }
  }
}

__device__ const std::uint32_t* words_of(const void* elements) {
  return static_cast<const std::uint32_t*>(elements);
}

}  // namespace

__global__ void multiply_bf16(const Bf16* a, const Bf16* b, float* out) {
  multiply<Bf16>(words_of(a), words_of(b), out);
}
__global__ void multiply_f16(const F16* a, const F16* b, float* out) {
  multiply<F16>(words_of(a), words_of(b), out);
}
__global__ void multiply_tf32(const float* a, const float* b, float* out) {
  multiply<cuda::Tf32>(words_of(a), words_of(b), out);
}

__global__ void add_one(const float* in, float* out, int count) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (static_cast<int>(i) < count) out[i] = in[i] + 1.0F;
}

}  // namespace tpn::cuda_on_cpu::test
