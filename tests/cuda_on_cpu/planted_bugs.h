// Kernels that are right and the same with one thing wrong, for what the emulator must find.
#pragma once

#include "kernels/half.h"
#include "tests/cuda_on_cpu/test_kernels.h"

namespace tpn::cuda_on_cpu::test {

enum class Bug : std::uint8_t {
  none,
  no_barrier_before_use,
  no_barrier_at_loop_end,
  no_copy_wait,
  copies_never_waited,
  no_warp_barrier,
  shared_out_of_bounds,
  global_out_of_bounds,
  blocks_write_same_place,
  divergent_barrier,
  uninitialized_shared,
};

/// c (m x n) = a (m x k) b (n x k)^T by tiles of 128 x 128, 4 warps each, with double-buffered cp.async,
/// ldmatrix and tensor cores. m and n: multiples of 128, k: of 32.
using Gemm = void (*)(const Bf16* a, const Bf16* b, float* c, int n, int k);
Gemm gemm(Bug bug);
inline constexpr unsigned gemm_tile = 128;
inline constexpr unsigned gemm_threads = 128;
inline constexpr std::size_t gemm_shared_bytes = std::size_t{4} * 128 * 64;

/// Each warp turns its 32 values around: out[i] = in[31 - i] within every 32.
using Reverse = void (*)(const float* in, float* out);
Reverse reverse_in_warps(Bug bug);

/// out[block] = sum of in[block * threads ...], by all threads through shared memory.
using Sum = void (*)(const float* in, float* out);
Sum sum_blocks(Bug bug);

/// As sum_blocks over 16-bit values that neighbouring threads keep in neighbouring halves of words.
void sum_halves(const std::uint16_t* in, std::uint16_t* out);

/// out = in, 16 bytes a thread.
void copy_vectors(const float* in, float* out);

/// Adds all values to one place with atomics.
void add_atomically(const int* in, int* out);

}  // namespace tpn::cuda_on_cpu::test
