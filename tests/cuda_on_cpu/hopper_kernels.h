// Kernels that use what only compute capability 9.0 has: boxes, phase barriers, products of warp groups. Some
// of them also with one thing wrong, for what the emulator must find.
#pragma once

#include <cstdint>

#include <cuda.h>

#include "kernels/half.h"
#include "tests/cuda_on_cpu/test_kernels.h"

namespace tpn::cuda_on_cpu::test {

enum class HopperBug : std::uint8_t {
  none,
  no_full_wait,               ///< consumers do not wait for the copies
  no_empty_wait,              ///< the producer does not wait for the consumers
  empty_before_product_wait,  ///< consumers give a stage back while products may read it
  no_product_wait,            ///< sums are stored without waiting for them
  too_few_bytes_expected,
  too_many_bytes_expected,
  no_init_fence,
  no_barrier_after_init,
  wrong_parity,  ///< of the wait for the copies
  missing_warp,  ///< one of a group's does not multiply
  copy_past_shared,
  misaligned_operand,
  no_product_fence,
  too_many_arrivals,
  overwritten_barrier,
};

/// c (m x n) = a (m x k) b (n x k)^T by tiles of 128 x 128. One thread copies boxes of 64 columns into a ring
/// of stages, two groups of four warps multiply; full[] and empty[] barriers go between them. m and n:
/// multiples of 128, k: of 64. The maps have boxes of 64 columns and 128 rows, swizzled by 128 bytes.
using HopperGemm = void (*)(CUtensorMap a, CUtensorMap b, float* c, int n, int k);
HopperGemm hopper_gemm(HopperBug bug);
inline constexpr int hopper_gemm_tile = 128;
inline constexpr unsigned hopper_gemm_threads = 288;
inline constexpr int hopper_gemm_depth = 64;  // elements, of a stage
inline constexpr int hopper_gemm_stages = 3;
inline constexpr int hopper_gemm_stage_bytes = 2 * hopper_gemm_tile * hopper_gemm_depth * 2;
inline constexpr std::size_t hopper_gemm_shared_bytes =
    std::size_t{hopper_gemm_stages} * (hopper_gemm_stage_bytes + 2 * 8);

struct BoxPlace {
  int at[5];
};

/// One warp copies a box of `words` words (4 bytes) to shared memory and from there to `out`. before[i]: what
/// the destination held when the copy had just been started, where `before` is not null.
void copy_box_2d(CUtensorMap map, BoxPlace place, int words, std::uint32_t* out, std::uint32_t* before);
void copy_box_5d(CUtensorMap map, BoxPlace place, int words, std::uint32_t* out, std::uint32_t* before);

/// 128 threads: out (64 x 8 n, row-major) += a (64 x 64) b (8 n x 64)^T, n: 8, 16 or 32. The maps have boxes
/// of all that, swizzled by 128 bytes. before: what the sums held before the wait, where it is not null; laid
/// out like out.
using MultiplyGroup = void (*)(CUtensorMap a, CUtensorMap b, float* out, float* before);
/// transposed: a and b have their 64 elements of depth outermost, and boxes are of 64 x 64.
MultiplyGroup multiply_group(bool bf16, int n, bool transposed);
inline constexpr int multiply_group_depth = 64;

/// One block. In each of `rounds` rounds every thread writes a value to shared memory, arrives, waits for
/// all, and adds its neighbour's value to out[thread].
void exchange_in_phases(int* out, int rounds);

/// One thread: passed[i] = 1 after the i-th wait that must pass at once; 4 of them.
void phase_parities(int* passed);

}  // namespace tpn::cuda_on_cpu::test
