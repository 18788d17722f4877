// What kernels need of the machine below CUDA C++: tensor cores, asynchronous copies, matrix loads, packed
// conversions. The only file with inline PTX; every function has a second body for kernels that are compiled
// for the CPU (CUDA_ON_CPU, see tests/cuda_on_cpu), which calls the emulation.
//
// Everything here needs compute capability 8.0.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/half.h"

#ifndef CUDA_ON_CPU
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// Shared memory of fixed size: TPN_SHARED(float, sums, 32) declares sums[32]. TPN_DYNAMIC_SHARED(T, name)
/// declares T* name, the block's dynamic shared memory, aligned to 128 bytes. Kernels declare shared memory
/// in no other way.
#define TPN_SHARED(type, name, count) __shared__ type name[count]
#define TPN_DYNAMIC_SHARED(type, name)                                 \
  extern __shared__ __align__(128) unsigned char tpn_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(tpn_dynamic_shared)
#endif

namespace tpn::cuda {

/// Names a matrix product of f32 operands rounded to 10 bits of mantissa, accumulated in f32.
struct Tf32 {};

// --- Conversions

__device__ __forceinline__ float to_float(float value) {
  return value;
}
__device__ __forceinline__ float to_float(Bf16 value) {
#ifdef CUDA_ON_CPU
  return static_cast<float>(value);
#else
  return __uint_as_float(static_cast<std::uint32_t>(value.bits) << 16);
#endif
}
__device__ __forceinline__ float to_float(F16 value) {
#ifdef CUDA_ON_CPU
  return static_cast<float>(value);
#else
  return __half2float(__ushort_as_half(value.bits));
#endif
}

/// Rounds to nearest, ties to even.
template <class T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ Bf16 from_float<Bf16>(float value) {
#ifdef CUDA_ON_CPU
  return Bf16(value);
#else
  Bf16 result;
  result.bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
  return result;
#endif
}
template <>
__device__ __forceinline__ F16 from_float<F16>(float value) {
#ifdef CUDA_ON_CPU
  return F16(value);
#else
  F16 result;
  result.bits = __half_as_ushort(__float2half_rn(value));
  return result;
#endif
}

/// The bits of an f32 rounded to tf32, to nearest, ties away from zero.
__device__ __forceinline__ std::uint32_t round_to_tf32(std::uint32_t bits) {
#ifdef CUDA_ON_CPU
  const bool finite = (bits & 0x7f800000U) != 0x7f800000U;
  return finite ? (bits + 0x1000U) & 0xffffe000U : bits;
#else
  std::uint32_t result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(__uint_as_float(bits)));
  return result;
#endif
}

// --- Vectors of consecutive elements, moved by one access

/// `Count` elements that are loaded and stored at once: at most 16 bytes.
template <class T, int Count>
struct alignas(sizeof(T) * Count) Vector {
  static_assert(sizeof(T) * Count <= 16 && (sizeof(T) * Count & (sizeof(T) * Count - 1)) == 0);
  T element[Count];

  __device__ __forceinline__ T& operator[](int i) { return element[i]; }
  __device__ __forceinline__ const T& operator[](int i) const { return element[i]; }
};

/// Elements of T in 16 bytes.
template <class T>
inline constexpr int vector_size = 16 / static_cast<int>(sizeof(T));

/// from: aligned to the vector.
template <int Count, class T>
__device__ __forceinline__ Vector<T, Count> load_vector(const T* from) {
  return *reinterpret_cast<const Vector<T, Count>*>(from);
}
template <int Count, class T>
__device__ __forceinline__ void store_vector(T* to, const Vector<T, Count>& value) {
  *reinterpret_cast<Vector<T, Count>*>(to) = value;
}

// --- Asynchronous copies from global to shared memory

/// Starts copying 16 bytes; zeros are written instead where `valid` is false (`global` is then not read).
/// Both addresses are aligned to 16 bytes. The bytes are there after cp_async_wait by this thread; for other
/// threads after a barrier that follows it.
__device__ __forceinline__ void cp_async_16(void* shared, const void* global, bool valid) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::cp_async(shared, global, 16, valid ? 16 : 0);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global),
               "r"(valid ? 16 : 0)
               : "memory");
#endif
}

/// Closes the group of this thread's copies since the last commit.
__device__ __forceinline__ void cp_async_commit() {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::cp_async_commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits until at most `Pending` of this thread's groups, the youngest ones, are unfinished.
template <int Pending>
__device__ __forceinline__ void cp_async_wait() {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::cp_async_wait(Pending);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

// --- Tensor cores. All lanes of a warp call these together.

/// Loads four 8x8 matrices of 16-bit elements (or 8x4 of 32-bit ones) from shared memory. Lane 8 i + r gives
/// the address of row r (16 bytes, aligned) of matrix i; lane l receives in result[i] the 32 bits at row l /
/// 4, byte 4 (l % 4).
__device__ __forceinline__ void ldmatrix_x4(std::uint32_t (&result)[4], const void* row) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::ldmatrix(result, 4, row);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
               : "r"(address)
               : "memory");
#endif
}

namespace detail {

#ifndef CUDA_ON_CPU
template <class T>
__device__ __forceinline__ void mma(float (&sum)[4], const std::uint32_t (&a)[4],
                                    const std::uint32_t (&b)[2]);

template <>
__device__ __forceinline__ void mma<Bf16>(float (&sum)[4], const std::uint32_t (&a)[4],
                                          const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <>
__device__ __forceinline__ void mma<F16>(float (&sum)[4], const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <>
__device__ __forceinline__ void mma<Tf32>(float (&sum)[4], const std::uint32_t (&a)[4],
                                          const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

}  // namespace detail

/// sum[m][n] += a[m] b[n]^T for tiles of 16 x 8 and 32 bytes of depth: 16 elements of T = Bf16 or F16, 8 of T
/// = Tf32 (whose registers hold bits of round_to_tf32). Registers hold fragments as the PTX manual lays them
/// out for mma.m16n8k16 and mma.m16n8k8: lane l has sum rows l / 4 (elements 0, 1) and l / 4 + 8 (2, 3),
/// columns 2 (l % 4) and the next. a[m] is what ldmatrix_x4 gives for the matrices (rows 0-7, bytes 0-15),
/// (rows 8-15, bytes 0-15), (rows 0-7, bytes 16-31), (rows 8-15, bytes 16-31), and b[n] for (rows 0-7, bytes
/// 0-15), (rows 0-7, bytes 16-31), of operands stored with their depth contiguous.
template <class T, int M, int N>
__device__ __forceinline__ void mma_block(float (&sum)[M][N][4], const std::uint32_t (&a)[M][4],
                                          const std::uint32_t (&b)[N][2]) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::mma_block<T, M, N>(sum, a, b);
#else
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N; ++n) detail::mma<T>(sum[m][n], a[m], b[n]);
  }
#endif
}

}  // namespace tpn::cuda
