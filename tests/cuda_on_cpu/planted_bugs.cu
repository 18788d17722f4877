#include "kernels/cuda/device.cuh"
#include "tests/cuda_on_cpu/planted_bugs.h"

namespace tpn::cuda_on_cpu::test {

namespace {

constexpr int tile = static_cast<int>(gemm_tile);
constexpr int depth = 32;  // of a stage, elements
constexpr int row_bytes = depth * 2;
constexpr int stage_bytes = 2 * tile * row_bytes;  // of A and B
constexpr int warp_tile = 64;

/// Starts copying one stage; `k` is its first column.
__device__ void load_stage(unsigned char* stage, const Bf16* a, const Bf16* b, int k_size, int k) {
  for (int chunk = static_cast<int>(threadIdx.x); chunk < tile * 4; chunk += static_cast<int>(blockDim.x)) {
    const int row = chunk / 4;
    const int byte = chunk % 4 * 16;
    const int element = row * k_size + k + byte / 2;
    cuda::cp_async_16(stage + row * row_bytes + byte, a + element, true);
    cuda::cp_async_16(stage + (tile + row) * row_bytes + byte, b + element, true);
  }
  cuda::cp_async_commit();
}

template <Bug bug>
__global__ void __launch_bounds__(gemm_threads)
    gemm_kernel(const Bf16* a, const Bf16* b, float* c, int n, int k_size) {
  TPN_DYNAMIC_SHARED(unsigned char, stages);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_row = warp / 2 * warp_tile;
  const int warp_column = warp % 2 * warp_tile;
  const Bf16* a_tile = a + static_cast<std::ptrdiff_t>(blockIdx.y) * tile * k_size;
  const Bf16* b_tile = b + static_cast<std::ptrdiff_t>(blockIdx.x) * tile * k_size;

  float sum[4][8][4] = {};
  load_stage(stages, a_tile, b_tile, k_size, 0);
  const int steps = k_size / depth;
  for (int step = 0; step < steps; ++step) {
    const bool more = step + 1 < steps;
    if (more) load_stage(stages + (step + 1) % 2 * stage_bytes, a_tile, b_tile, k_size, (step + 1) * depth);
    if constexpr (bug != Bug::no_copy_wait && bug != Bug::copies_never_waited) {
      if (more)
        cuda::cp_async_wait<1>();
      else
        cuda::cp_async_wait<0>();
    }
    if constexpr (bug != Bug::no_barrier_before_use) __syncthreads();
    const unsigned char* a_rows = stages + step % 2 * stage_bytes;
    const unsigned char* b_rows = a_rows + tile * row_bytes;
    for (int byte = 0; byte < row_bytes; byte += 32) {
      std::uint32_t a_registers[4][4];
      std::uint32_t b_registers[8][2];
      for (int m = 0; m < 4; ++m) {
        const int row = warp_row + 16 * m + lane % 16;
        cuda::ldmatrix_x4(a_registers[m], a_rows + row * row_bytes + byte + lane / 16 * 16);
      }
      for (int n_pair = 0; n_pair < 4; ++n_pair) {
        const int row = warp_column + 16 * n_pair + lane % 8 + lane / 16 * 8;
        std::uint32_t registers[4];
        cuda::ldmatrix_x4(registers, b_rows + row * row_bytes + byte + lane / 8 % 2 * 16);
        b_registers[2 * n_pair][0] = registers[0];
        b_registers[2 * n_pair][1] = registers[1];
        b_registers[2 * n_pair + 1][0] = registers[2];
        b_registers[2 * n_pair + 1][1] = registers[3];
      }
      cuda::mma_block<Bf16>(sum, a_registers, b_registers);
    }
    if constexpr (bug != Bug::no_barrier_at_loop_end) __syncthreads();
  }
  if constexpr (bug == Bug::no_copy_wait) cuda::cp_async_wait<0>();

  const int first_row = static_cast<int>(blockIdx.y) * tile + warp_row + lane / 4;
  const int first_column = static_cast<int>(blockIdx.x) * tile + warp_column + lane % 4 * 2;
  for (int m = 0; m < 4; ++m) {
    for (int i = 0; i < 8; ++i) {
      float* row = c + (first_row + 16 * m) * static_cast<std::ptrdiff_t>(n) + first_column + 8 * i;
      cuda::store_vector<2>(row, {sum[m][i][0], sum[m][i][1]});
      cuda::store_vector<2>(row + 8 * static_cast<std::ptrdiff_t>(n), {sum[m][i][2], sum[m][i][3]});
    }
  }
}

template <Bug bug>
__global__ void reverse_kernel(const float* in, float* out) {
  TPN_DYNAMIC_SHARED(float, values);
  const unsigned i = threadIdx.x;
  values[i] = in[i];
  if constexpr (bug != Bug::no_warp_barrier) __syncwarp();
  out[i] = values[i ^ 31U];
}

template <Bug bug>
__global__ void sum_kernel(const float* in, float* out) {
  TPN_SHARED(float, values, 64);
  const unsigned i = threadIdx.x;
  const unsigned place = bug == Bug::shared_out_of_bounds ? i + 1 : i;
  const unsigned source = blockIdx.x * blockDim.x + i + (bug == Bug::global_out_of_bounds ? 1 : 0);
  float* slots = values;  // whose bounds the compiler does not know
  if (bug != Bug::uninitialized_shared || i != 3) slots[place] = in[source];
  if constexpr (bug == Bug::divergent_barrier) {
    if (i < 40) __syncthreads();
  } else {
    __syncthreads();
  }
  if (i == 0) {
    float sum = 0;
    for (unsigned j = 0; j < blockDim.x; ++j) sum += values[j];
    out[bug == Bug::blocks_write_same_place ? 0 : blockIdx.x] = sum;
  }
}

}  // namespace

Gemm gemm(Bug bug) {
  switch (bug) {
    case Bug::no_barrier_before_use:
      return gemm_kernel<Bug::no_barrier_before_use>;
    case Bug::no_barrier_at_loop_end:
      return gemm_kernel<Bug::no_barrier_at_loop_end>;
    case Bug::no_copy_wait:
      return gemm_kernel<Bug::no_copy_wait>;
    case Bug::copies_never_waited:
      return gemm_kernel<Bug::copies_never_waited>;
    default:
      return gemm_kernel<Bug::none>;
  }
}

Reverse reverse_in_warps(Bug bug) {
  return bug == Bug::no_warp_barrier ? reverse_kernel<Bug::no_warp_barrier> : reverse_kernel<Bug::none>;
}

Sum sum_blocks(Bug bug) {
  switch (bug) {
    case Bug::shared_out_of_bounds:
      return sum_kernel<Bug::shared_out_of_bounds>;
    case Bug::global_out_of_bounds:
      return sum_kernel<Bug::global_out_of_bounds>;
    case Bug::blocks_write_same_place:
      return sum_kernel<Bug::blocks_write_same_place>;
    case Bug::divergent_barrier:
      return sum_kernel<Bug::divergent_barrier>;
    case Bug::uninitialized_shared:
      return sum_kernel<Bug::uninitialized_shared>;
    default:
      return sum_kernel<Bug::none>;
  }
}

__global__ void sum_halves(const std::uint16_t* in, std::uint16_t* out) {
  TPN_SHARED(std::uint16_t, values, 64);
  TPN_SHARED(unsigned char, bytes, 64);
  const unsigned i = threadIdx.x;
  values[i] = in[blockIdx.x * blockDim.x + i];
  bytes[i] = static_cast<unsigned char>(values[i]);
  __syncthreads();
  std::uint16_t sum = 0;
  for (unsigned j = 0; j < blockDim.x; ++j) sum = static_cast<std::uint16_t>(sum + values[j] - bytes[j]);
  out[blockIdx.x * blockDim.x + i] = sum;
}

__global__ void copy_vectors(const float* in, float* out) {
  const unsigned i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  cuda::store_vector<4>(out + i, cuda::load_vector<4>(in + i));
}

__global__ void add_atomically(const int* in, int* out) {
  atomicAdd(out, in[blockIdx.x * blockDim.x + threadIdx.x]);
}

}  // namespace tpn::cuda_on_cpu::test
