#include "kernels/cuda/device.cuh"
#include "tests/cuda_on_cpu/hopper_kernels.h"

namespace tpn::cuda_on_cpu::test {

namespace {

using cuda::PhaseBarrier;

constexpr int tile = hopper_gemm_tile;
constexpr int depth = hopper_gemm_depth;
constexpr int stages = hopper_gemm_stages;
constexpr int stage_bytes = hopper_gemm_stage_bytes;
constexpr int row_bytes = depth * 2;
constexpr int slice_bytes = 32;  // of a row, the depth of one product
constexpr int group_rows = 64;
constexpr int groups = tile / group_rows;
constexpr int group_threads = 128;

/// A stage's operands: tile rows of a, then tile rows of b.
__device__ unsigned char* a_rows(unsigned char* memory, int stage) {
  return memory + stage * stage_bytes;
}
__device__ unsigned char* b_rows(unsigned char* memory, int stage) {
  return a_rows(memory, stage) + tile * row_bytes;
}

template <HopperBug bug>
__device__ void produce(unsigned char* memory, PhaseBarrier* full, PhaseBarrier* empty, const CUtensorMap& a,
                        const CUtensorMap& b, int steps) {
  constexpr int wrong_bytes = bug == HopperBug::too_few_bytes_expected    ? -64
                              : bug == HopperBug::too_many_bytes_expected ? 64
                                                                          : 0;
  for (int step = 0; step < steps; ++step) {
    const int stage = step % stages;
    const int round = step / stages;
    // In the first round nobody has to give the stage back: the wait for the phase before passes.
    if constexpr (bug != HopperBug::no_empty_wait) empty[stage].wait((round + 1) % 2);
    full[stage].arrive_expecting(stage_bytes + wrong_bytes);
    if constexpr (bug == HopperBug::too_many_arrivals) full[stage].arrive();
    const int a_at[2] = {step * depth, static_cast<int>(blockIdx.y) * tile};
    const int b_at[2] = {step * depth, static_cast<int>(blockIdx.x) * tile};
    const int place = bug == HopperBug::copy_past_shared && stage == stages - 1 ? stage + 1 : stage;
    cuda::copy_box(a_rows(memory, place), a, full[stage], a_at);
    cuda::copy_box(b_rows(memory, stage), b, full[stage], b_at);
  }
}

/// A warp group's 64 rows of the tile.
template <HopperBug bug>
__device__ void consume(unsigned char* memory, PhaseBarrier* full, PhaseBarrier* empty, float* c, int n,
                        int steps) {
  const int thread = static_cast<int>(threadIdx.x) % group_threads;
  const int group = static_cast<int>(threadIdx.x) / group_threads;
  const int warp = thread / 32;
  const int lane = thread % 32;
  const auto give_back = [&](int step) {
    if (thread == 0) empty[step % stages].arrive();
  };
  float sum[tile / 8][4] = {};
  for (int step = 0; step < steps; ++step) {
    const int stage = step % stages;
    const int round = step / stages;
    if constexpr (bug == HopperBug::wrong_parity) {
      full[stage].wait((round + 1) % 2);
    } else if constexpr (bug != HopperBug::no_full_wait) {
      full[stage].wait(round % 2);
    }
    const unsigned char* a = a_rows(memory, stage) + group * group_rows * row_bytes;
    const unsigned char* b = b_rows(memory, stage) + (bug == HopperBug::misaligned_operand ? 128 : 0);
    if constexpr (bug != HopperBug::no_product_fence) cuda::warp_group_fence();
    if (bug != HopperBug::missing_warp || warp != 3) {
      for (int byte = 0; byte < row_bytes; byte += slice_bytes) {
        cuda::warp_group_multiply<Bf16>(sum, cuda::matrix_descriptor(a + byte),
                                        cuda::matrix_descriptor(b + byte));
      }
    }
    cuda::warp_group_commit();
    if constexpr (bug == HopperBug::empty_before_product_wait) {
      give_back(step);
      cuda::warp_group_wait<0>();
    } else {
      // The products of this step go on while those of the step before are known to have ended.
      cuda::warp_group_wait<1>();
      if (step > 0) give_back(step - 1);
    }
  }
  if constexpr (bug != HopperBug::no_product_wait) cuda::warp_group_wait<0>();

  const int row = static_cast<int>(blockIdx.y) * tile + group * group_rows + 16 * warp + lane / 4;
  const int column = static_cast<int>(blockIdx.x) * tile + lane % 4 * 2;
  for (int i = 0; i < tile / 8; ++i) {
    float* place = c + row * static_cast<std::ptrdiff_t>(n) + column + 8 * i;
    cuda::store_vector<2>(place, {sum[i][0], sum[i][1]});
    cuda::store_vector<2>(place + 8 * static_cast<std::ptrdiff_t>(n), {sum[i][2], sum[i][3]});
  }
}

template <HopperBug bug>
__global__ void __launch_bounds__(hopper_gemm_threads)
    hopper_gemm_kernel(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, float* c,
                       int n, int k) {
  TPN_DYNAMIC_SHARED(unsigned char, memory);
  auto* full = reinterpret_cast<PhaseBarrier*>(memory + stages * stage_bytes);
  PhaseBarrier* empty = full + stages;
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < stages; ++stage) {
      full[stage].init(1);
      empty[stage].init(groups);
    }
    if constexpr (bug != HopperBug::no_init_fence) PhaseBarrier::init_fence();
    if constexpr (bug == HopperBug::overwritten_barrier) full[1].state = 0;
  }
  if constexpr (bug != HopperBug::no_barrier_after_init) __syncthreads();
  const int steps = k / depth;
  if (threadIdx.x < groups * group_threads) {
    consume<bug>(memory, full, empty, c, n, steps);
  } else if (threadIdx.x % 32 == 0) {
    produce<bug>(memory, full, empty, a, b, steps);
  }
}

template <int Rank>
__device__ void copy_out(const CUtensorMap& map, const BoxPlace& place, int words, std::uint32_t* out,
                         std::uint32_t* before) {
  TPN_DYNAMIC_SHARED(std::uint32_t, box);
  TPN_SHARED(PhaseBarrier, there, 1);
  if (threadIdx.x == 0) {
    there[0].init(1);
    PhaseBarrier::init_fence();
    there[0].arrive_expecting(4 * words);
    int at[Rank];
    for (int i = 0; i < Rank; ++i) at[i] = place.at[i];
    cuda::copy_box(box, map, there[0], at);
    for (int i = 0; i < words && before != nullptr; ++i) before[i] = box[i];
  }
  __syncthreads();
  there[0].wait(0);
  for (int i = static_cast<int>(threadIdx.x); i < words; i += 32) out[i] = box[i];
}

template <class T, int N, bool Transposed>
__global__ void multiply_group_kernel(const __grid_constant__ CUtensorMap a,
                                      const __grid_constant__ CUtensorMap b, float* out, float* before) {
  TPN_DYNAMIC_SHARED(unsigned char, memory);
  TPN_SHARED(PhaseBarrier, there, 1);
  constexpr int a_bytes = group_rows * row_bytes;
  constexpr int columns = 8 * N;
  if (threadIdx.x == 0) {
    there[0].init(1);
    PhaseBarrier::init_fence();
    there[0].arrive_expecting(a_bytes + columns * row_bytes);
    cuda::copy_box(memory, a, there[0], {0, 0});
    constexpr int boxes = Transposed ? columns / group_rows : 1;
    for (int i = 0; i < boxes; ++i) {
      cuda::copy_box(memory + (i + 1) * a_bytes, b, there[0], {i * group_rows, 0});
    }
  }
  __syncthreads();
  there[0].wait(0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = static_cast<int>(threadIdx.x) / 32 * 16 + lane / 4;
  const auto place = [&](int n, int i) { return (row + i / 2 * 8) * columns + 8 * n + lane % 4 * 2 + i % 2; };
  float sum[N][4];
  for (int n = 0; n < N; ++n) {
    for (int i = 0; i < 4; ++i) sum[n][i] = out[place(n, i)];
  }
  cuda::warp_group_fence();
  for (int byte = 0; byte < row_bytes; byte += slice_bytes) {
    if constexpr (Transposed) {
      const int at = byte / slice_bytes * 16 * row_bytes;
      cuda::warp_group_multiply_transposed<T>(sum, cuda::transposed_descriptor(memory + at, a_bytes),
                                              cuda::transposed_descriptor(memory + a_bytes + at, a_bytes));
    } else {
      cuda::warp_group_multiply<T>(sum, cuda::matrix_descriptor(memory + byte),
                                   cuda::matrix_descriptor(memory + a_bytes + byte));
    }
  }
  cuda::warp_group_commit();
  for (int n = 0; n < N && before != nullptr; ++n) {
    for (int i = 0; i < 4; ++i) before[place(n, i)] = sum[n][i];
  }
  cuda::warp_group_wait<0>();
  for (int n = 0; n < N; ++n) {
    for (int i = 0; i < 4; ++i) out[place(n, i)] = sum[n][i];
  }
}

template <class T, bool Transposed>
MultiplyGroup multiply_group_of(int n) {
  if (n == 8) return multiply_group_kernel<T, 8, Transposed>;
  return n == 16 ? multiply_group_kernel<T, 16, Transposed> : multiply_group_kernel<T, 32, Transposed>;
}

/// The kernel with the bug among `bugs`.
template <HopperBug... bugs>
HopperGemm gemm_with(HopperBug bug) {
  HopperGemm found = nullptr;
  static_cast<void>(((bug == bugs && (found = hopper_gemm_kernel<bugs>, true)) || ...));
  return found;
}

}  // namespace

HopperGemm hopper_gemm(HopperBug bug) {
  using enum HopperBug;
  return gemm_with<none, no_full_wait, no_empty_wait, empty_before_product_wait, no_product_wait,
                   too_few_bytes_expected, too_many_bytes_expected, no_init_fence, no_barrier_after_init,
                   wrong_parity, missing_warp, copy_past_shared, misaligned_operand, no_product_fence,
                   too_many_arrivals, overwritten_barrier>(bug);
}

__global__ void copy_box_2d(const __grid_constant__ CUtensorMap map, BoxPlace place, int words,
                            std::uint32_t* out, std::uint32_t* before) {
  copy_out<2>(map, place, words, out, before);
}
__global__ void copy_box_5d(const __grid_constant__ CUtensorMap map, BoxPlace place, int words,
                            std::uint32_t* out, std::uint32_t* before) {
  copy_out<5>(map, place, words, out, before);
}

MultiplyGroup multiply_group(bool bf16, int n, bool transposed) {
  if (transposed) return bf16 ? multiply_group_of<Bf16, true>(n) : multiply_group_of<F16, true>(n);
  return bf16 ? multiply_group_of<Bf16, false>(n) : multiply_group_of<F16, false>(n);
}

__global__ void exchange_in_phases(int* out, int rounds) {
  TPN_SHARED(int, values, 2 * 1024);  // two rounds' in turn
  TPN_SHARED(PhaseBarrier, all_there, 1);
  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  if (thread == 0) {
    all_there[0].init(threads);
    PhaseBarrier::init_fence();
  }
  __syncthreads();
  int sum = 0;
  for (int round = 0; round < rounds; ++round) {
    int* of_round = values + round % 2 * 1024;
    of_round[thread] = 1000 * round + thread;
    all_there[0].arrive();
    all_there[0].wait(round % 2);
    sum += of_round[(thread + 1) % threads];
  }
  out[thread] = sum;
}

__global__ void phase_parities(int* passed) {
  TPN_SHARED(PhaseBarrier, barrier, 1);
  barrier[0].init(2);
  PhaseBarrier::init_fence();
  barrier[0].wait(1);
  passed[0] = 1;
  barrier[0].arrive();
  barrier[0].wait(1);  // one of two arrivals: still phase 0
  passed[1] = 1;
  barrier[0].arrive();
  barrier[0].wait(0);
  passed[2] = 1;
  barrier[0].arrive();
  barrier[0].arrive();
  barrier[0].wait(1);
  passed[3] = 1;
}

}  // namespace tpn::cuda_on_cpu::test
