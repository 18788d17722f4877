// What CUDA gives kernels beyond C++: their place in the grid, barriers, warp collectives, atomics. For
// tensor cores and asynchronous copies see tensor_core.h and async_copy.h, for Hopper's warp_group.h,
// box_copy.h and phase_barrier.h.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <vector_types.h>

#include "tests/cuda_on_cpu/async_copy.h"
#include "tests/cuda_on_cpu/box_copy.h"
#include "tests/cuda_on_cpu/phase_barrier.h"
#include "tests/cuda_on_cpu/tensor_core.h"
#include "tests/cuda_on_cpu/warp_group.h"

// Variables, not macros: cudaLaunchConfig_t has a member gridDim.
// NOLINTBEGIN(readability-identifier-naming): CUDA's names
extern constinit thread_local uint3 threadIdx;
extern constinit thread_local uint3 blockIdx;
extern constinit thread_local dim3 blockDim;
extern constinit thread_local dim3 gridDim;
inline constexpr int warpSize = 32;
// NOLINTEND(readability-identifier-naming)

namespace tpn::cuda_on_cpu {

/// A shared array of fixed size; one object per place in the source and template instance.
struct SharedArray {
  const char* name;
  std::size_t bytes;
  std::size_t alignment;
};

/// The running block's memory for the array, which holds NaN bytes at first.
void* shared_array(const SharedArray& array);

/// The running block's dynamic shared memory, aligned to 1024 bytes.
void* dynamic_shared();

/// As in kernels/cuda/device.cuh; see SharedMemory::number.
std::uint32_t shared_address(const void* shared);

/// A kernel is about to touch so many bytes, a power of two, by one instruction: tells, and ends the kernel,
/// where their address is no multiple.
[[noreturn]] void end_misaligned(const void* address, std::size_t size);
inline void check_aligned(const void* address, std::size_t size) {
  if (reinterpret_cast<std::uintptr_t>(address) % size != 0) end_misaligned(address, size);
}

enum class Shuffle : std::uint8_t { from_lane, up, down, exclusive_or };

/// The bits another lane gave; all ones where that lane is not in the mask.
std::uint64_t shuffle(std::uint32_t mask, std::uint64_t bits, Shuffle mode, int argument, int width);

template <class T>
T shuffle_value(std::uint32_t mask, T value, Shuffle mode, int argument, int width) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<T>(
      static_cast<Bits>(shuffle(mask, std::bit_cast<Bits>(value), mode, argument, width)));
}

}  // namespace tpn::cuda_on_cpu

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): CUDA's names

// --- Barriers

void __syncthreads();
int __syncthreads_or(int predicate);
int __syncthreads_and(int predicate);
int __syncthreads_count(int predicate);
void __syncwarp(unsigned mask = 0xffffffffU);
void __threadfence();
void __threadfence_block();

// --- Warp collectives. They order no memory accesses: that takes __syncwarp.

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  return tpn::cuda_on_cpu::shuffle_value(mask, value, tpn::cuda_on_cpu::Shuffle::from_lane, lane, width);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return tpn::cuda_on_cpu::shuffle_value(mask, value, tpn::cuda_on_cpu::Shuffle::up, static_cast<int>(delta),
                                         width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return tpn::cuda_on_cpu::shuffle_value(mask, value, tpn::cuda_on_cpu::Shuffle::down,
                                         static_cast<int>(delta), width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  return tpn::cuda_on_cpu::shuffle_value(mask, value, tpn::cuda_on_cpu::Shuffle::exclusive_or, lane_mask,
                                         width);
}
unsigned __ballot_sync(unsigned mask, int predicate);
int __any_sync(unsigned mask, int predicate);
int __all_sync(unsigned mask, int predicate);
/// The calling lane alone: lanes run one at a time here, and CUDA promises no more.
unsigned __activemask();

// --- Atomics, relaxed as in CUDA

int atomicAdd(int* address, int value);
unsigned atomicAdd(unsigned* address, unsigned value);
unsigned long long atomicAdd(unsigned long long* address, unsigned long long value);
float atomicAdd(float* address, float value);
double atomicAdd(double* address, double value);
int atomicSub(int* address, int value);
unsigned atomicSub(unsigned* address, unsigned value);
int atomicMax(int* address, int value);
unsigned atomicMax(unsigned* address, unsigned value);
unsigned long long atomicMax(unsigned long long* address, unsigned long long value);
int atomicMin(int* address, int value);
unsigned atomicMin(unsigned* address, unsigned value);
unsigned long long atomicMin(unsigned long long* address, unsigned long long value);
int atomicExch(int* address, int value);
unsigned atomicExch(unsigned* address, unsigned value);
float atomicExch(float* address, float value);
unsigned atomicOr(unsigned* address, unsigned value);
unsigned atomicAnd(unsigned* address, unsigned value);
unsigned atomicXor(unsigned* address, unsigned value);
int atomicCAS(int* address, int compare, int value);
unsigned atomicCAS(unsigned* address, unsigned compare, unsigned value);
unsigned long long atomicCAS(unsigned long long* address, unsigned long long compare,
                             unsigned long long value);

// --- Loads and stores with a hint for the cache

template <class T>
T __ldg(const T* address) {
  tpn::cuda_on_cpu::check_aligned(address, alignof(T));
  return *address;
}
template <class T>
T __ldcg(const T* address) {
  tpn::cuda_on_cpu::check_aligned(address, alignof(T));
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  tpn::cuda_on_cpu::check_aligned(address, alignof(T));
  return *address;
}
template <class T>
void __stcg(T* address, T value) {
  tpn::cuda_on_cpu::check_aligned(address, alignof(T));
  *address = value;
}
template <class T>
void __stcs(T* address, T value) {
  tpn::cuda_on_cpu::check_aligned(address, alignof(T));
  *address = value;
}

/// Ends the kernel with a finding.
[[noreturn]] void __trap();

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
