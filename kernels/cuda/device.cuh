// What kernels need of the machine below CUDA C++: tensor cores, asynchronous copies, matrix loads, packed
// conversions. The only file with inline PTX; every function has a second body for kernels that are compiled
// for the CPU (CUDA_ON_CPU, see tests/cuda_on_cpu), which calls the emulation.
//
// Everything here needs compute capability 8.0; what stands under "Hopper" needs exactly 9.0, and code for it
// is compiled for sm_90a.
#pragma once

#include <cstdint>

#include <cuda.h>
#include <cuda_runtime.h>

#include "kernels/half.h"

#ifndef CUDA_ON_CPU
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// Shared memory of fixed size: TPN_SHARED(float, sums, 32) declares sums[32]. TPN_DYNAMIC_SHARED(T, name)
/// declares T* name, the block's dynamic shared memory, aligned to 1024 bytes, as matrix_descriptor() needs.
/// Kernels declare shared memory in no other way.
#define TPN_SHARED(type, name, count) __shared__ type name[count]
#define TPN_DYNAMIC_SHARED(type, name)                                  \
  extern __shared__ __align__(1024) unsigned char tpn_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(tpn_dynamic_shared)
#endif

namespace tpn::cuda {

/// Names a matrix product of f32 operands rounded to 10 bits of mantissa, accumulated in f32.
struct Tf32 {};

// --- Conversions

/// The larger; NaN if either is. fmaxf() would drop it.
__device__ __forceinline__ float larger(float a, float b) {
  return a > b || a != a ? a : b;
}

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
#ifdef CUDA_ON_CPU
  cuda_on_cpu::check_aligned(from, sizeof(Vector<T, Count>));
#endif
  return *reinterpret_cast<const Vector<T, Count>*>(from);
}
template <int Count, class T>
__device__ __forceinline__ void store_vector(T* to, const Vector<T, Count>& value) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::check_aligned(to, sizeof(Vector<T, Count>));
#endif
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

/// The same with each matrix of 16-bit elements transposed: lane l receives those at rows 2 (l % 4) and the
/// next, column l / 4.
__device__ __forceinline__ void ldmatrix_x4_transposed(std::uint32_t (&result)[4], const void* row) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::ldmatrix_transposed(result, 4, row);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
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

// --- Hopper: barriers in shared memory that count arrivals and bytes

/// The address of shared memory that instructions take: an offset within the block's.
__device__ __forceinline__ std::uint32_t shared_address(const void* shared) {
#ifdef CUDA_ON_CPU
  return cuda_on_cpu::shared_address(shared);
#else
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
#endif
}

/// A barrier with phases, numbered from 0: one ends when `arrivals` threads have arrived in it and all bytes
/// expected in it have come, and the next begins. In shared memory; used by several threads after init() by
/// one of them, init_fence() by the same, and a barrier of the block.
struct PhaseBarrier {
  std::uint64_t state;

  __device__ __forceinline__ void init(int arrivals) {
#ifdef CUDA_ON_CPU
    cuda_on_cpu::barrier_init(this, arrivals);
#else
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)), "r"(arrivals)
                 : "memory");
#endif
  }
  /// Lets asynchronous copies see initialised barriers.
  __device__ static __forceinline__ void init_fence() {
#ifdef CUDA_ON_CPU
    cuda_on_cpu::barrier_init_fence();
#else
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
  }
  __device__ __forceinline__ void arrive() {
#ifdef CUDA_ON_CPU
    cuda_on_cpu::barrier_arrive(this, 0);
#else
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
#endif
  }
  /// Also lets this phase expect so many bytes more: those of the copies that name this barrier.
  __device__ __forceinline__ void arrive_expecting(int bytes) {
#ifdef CUDA_ON_CPU
    cuda_on_cpu::barrier_arrive(this, bytes);
#else
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)),
                 "r"(bytes)
                 : "memory");
#endif
  }
  /// Waits for the end of the current phase if its number has this parity, and of the one before otherwise
  /// (which has ended). So wait(1) passes at once on a new barrier.
  __device__ __forceinline__ void wait(int parity) {
#ifdef CUDA_ON_CPU
    cuda_on_cpu::barrier_wait(this, parity);
#else
    while (!has_ended(parity)) {
    }
#endif
  }
  /// The same, but in builds for checks (TPN_CUDA_WATCHDOG) a wait of more than two seconds ends the kernel,
  /// which would hang for ever, and the program with it. For threads that have registers to spare. (The
  /// emulated device tells by itself when no thread can go on.)
  __device__ __forceinline__ void wait_watched(int parity) {
#if defined(TPN_CUDA_WATCHDOG) && !defined(CUDA_ON_CPU)
    constexpr std::uint64_t longest = 2'000'000'000;  // ns
    const std::uint64_t start = nanoseconds();
    while (!has_ended(parity)) {
      if (nanoseconds() - start > longest) __trap();
    }
#else
    wait(parity);
#endif
  }

#ifndef CUDA_ON_CPU
 private:
  /// Waits for a while that the device chooses.
  __device__ __forceinline__ bool has_ended(int parity) {
    std::uint32_t done;
    asm volatile(
        "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(shared_address(this)), "r"(parity)
        : "memory");
    return done != 0;
  }
  __device__ static __forceinline__ std::uint64_t nanoseconds() {
    std::uint64_t now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    return now;
  }
#endif
};

/// Lets asynchronous copies and products see what the calling thread wrote to shared memory, after a barrier
/// that follows.
__device__ __forceinline__ void asynchronous_fence() {
#ifndef CUDA_ON_CPU
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// --- Hopper: copies of boxes of tensors (TMA)

/// Fetches a map, a __grid_constant__ parameter of the kernel, ahead of the first copy with it.
__device__ __forceinline__ void prefetch_map(const CUtensorMap& map) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::prefetch_map(map);
#else
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
#endif
}

/// Starts copying the box of the tensor whose first element has these coordinates, innermost first, to shared
/// memory, aligned to 1024 bytes. Elements outside of the tensor are zeros. The map is a __grid_constant__
/// parameter of the kernel. One thread calls it; `barrier` gets the box's bytes when they are there, also
/// those of zeros.
__device__ __forceinline__ void copy_box(void* shared, const CUtensorMap& map, PhaseBarrier& barrier,
                                         const int (&at)[2]) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::copy_box(shared, map, &barrier, at, 2);
#else
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], "
      "[%2];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(at[0]), "r"(at[1])
      : "memory");
#endif
}
__device__ __forceinline__ void copy_box(void* shared, const CUtensorMap& map, PhaseBarrier& barrier,
                                         const int (&at)[5]) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::copy_box(shared, map, &barrier, at, 5);
#else
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4])
      : "memory");
#endif
}

// --- Hopper: tensor cores that read both operands from shared memory (wgmma). All threads of a warp group
// (four warps, the first a multiple of four) call these together.

/// What wgmma takes for an operand in shared memory: rows of 128 bytes of depth, row r at byte 128 r, chunk c
/// of 16 bytes at the place of chunk c ^ r % 8, as copy_box leaves it with CU_TENSOR_MAP_SWIZZLE_128B.
/// shared: where it begins, aligned to 1024 bytes, plus 32 for each slice of depth before the wanted one (16
/// elements of 2 bytes).
__device__ __forceinline__ std::uint64_t matrix_descriptor(const void* shared) {
  constexpr std::uint64_t swizzle_128_bytes = std::uint64_t{1} << 62;
  constexpr std::uint64_t eight_rows = std::uint64_t{1024 / 16} << 32;  // from 8 rows to the next 8
  constexpr std::uint64_t unused = std::uint64_t{1} << 16;
  return swizzle_128_bytes | eight_rows | unused | (shared_address(shared) & 0x3ffff) >> 4;
}

/// The same for an operand whose depth is outermost: of each 64 of its rows there are, side by side, rows of
/// 128 bytes for the elements of depth, element d at byte 128 d, chunk c at the place of chunk c ^ d % 8, as
/// copy_box leaves them. shared: where the first 64 begin, aligned to 1024 bytes, plus 2048 for each slice of
/// depth before the wanted one. next: bytes from there to the next 64 rows of the operand.
__device__ __forceinline__ std::uint64_t transposed_descriptor(const void* shared, int next) {
  constexpr std::uint64_t swizzle_128_bytes = std::uint64_t{1} << 62;
  constexpr std::uint64_t eight_deep = std::uint64_t{1024 / 16} << 32;  // from 8 of depth to the next 8
  return swizzle_128_bytes | eight_deep | static_cast<std::uint64_t>(next / 16) << 16 |
         (shared_address(shared) & 0x3ffff) >> 4;
}

/// Before the first product, and after the sums or the operands were touched by other instructions.
__device__ __forceinline__ void warp_group_fence() {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::warp_group_fence();
#else
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

/// Closes the group of products since the last commit.
__device__ __forceinline__ void warp_group_commit() {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::warp_group_commit();
#else
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

/// Waits until at most `Pending` groups, the youngest ones, are unfinished. Until a product's group has been
/// waited for, neither its sums nor its operands may be touched.
template <int Pending>
__device__ __forceinline__ void warp_group_wait() {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::warp_group_wait(Pending);
#else
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
#endif
}

namespace detail {

#ifndef CUDA_ON_CPU
// The sums of a product are 4 registers for each 8 columns, all named in one instruction.
#define TPN_SUM(n) "+f"(sum[n][0]), "+f"(sum[n][1]), "+f"(sum[n][2]), "+f"(sum[n][3])
#define TPN_SUM_4(n) TPN_SUM(n), TPN_SUM(n + 1), TPN_SUM(n + 2), TPN_SUM(n + 3)
#define TPN_SUM_8(n) TPN_SUM_4(n), TPN_SUM_4(n + 4)
#define TPN_SUM_16(n) TPN_SUM_8(n), TPN_SUM_8(n + 8)
#define TPN_SUM_32(n) TPN_SUM_16(n), TPN_SUM_16(n + 16)
#define TPN_REGISTERS_32                                                   \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define TPN_REGISTERS_64                                                             \
  TPN_REGISTERS_32                                                                   \
  ", "                                                                               \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define TPN_REGISTERS_128                                                                        \
  TPN_REGISTERS_64                                                                               \
  ", "                                                                                           \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "             \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define TPN_WGMMA(columns, type, registers, x, weights, transposed, sums)                                   \
  asm volatile("{\n.reg .pred p;\nsetp.eq.u32 p, 1, 1;\nwgmma.mma_async.sync.aligned.m64n" columns          \
               "k16.f32." type "." type " {" registers "}, " x ", " weights ", p, 1, 1, " transposed ";\n}" \
               : sums                                                                                       \
               : "l"(a), "l"(b)                                                                             \
               : "memory")
#define TPN_WGMMA_OF(T, type, is_transposed, transposed)                                       \
  template <>                                                                                  \
  __device__ __forceinline__ void wgmma<T, is_transposed>(float(&sum)[8][4], std::uint64_t a,  \
                                                          std::uint64_t b) {                   \
    TPN_WGMMA("64", type, TPN_REGISTERS_32, "%32", "%33", transposed, TPN_SUM_8(0));           \
  }                                                                                            \
  template <>                                                                                  \
  __device__ __forceinline__ void wgmma<T, is_transposed>(float(&sum)[16][4], std::uint64_t a, \
                                                          std::uint64_t b) {                   \
    TPN_WGMMA("128", type, TPN_REGISTERS_64, "%64", "%65", transposed, TPN_SUM_16(0));         \
  }                                                                                            \
  template <>                                                                                  \
  __device__ __forceinline__ void wgmma<T, is_transposed>(float(&sum)[32][4], std::uint64_t a, \
                                                          std::uint64_t b) {                   \
    TPN_WGMMA("256", type, TPN_REGISTERS_128, "%128", "%129", transposed, TPN_SUM_32(0));      \
  }

template <class T, bool Transposed>
__device__ void wgmma(float (&sum)[8][4], std::uint64_t a, std::uint64_t b);
template <class T, bool Transposed>
__device__ void wgmma(float (&sum)[16][4], std::uint64_t a, std::uint64_t b);
template <class T, bool Transposed>
__device__ void wgmma(float (&sum)[32][4], std::uint64_t a, std::uint64_t b);
TPN_WGMMA_OF(Bf16, "bf16", false, "0, 0")
TPN_WGMMA_OF(F16, "f16", false, "0, 0")
TPN_WGMMA_OF(Bf16, "bf16", true, "1, 1")
TPN_WGMMA_OF(F16, "f16", true, "1, 1")
#endif

}  // namespace detail

/// Starts sum += a b^T for 64 rows, 8 N columns and 16 elements of depth (32 bytes). The descriptors are
/// those of a's 64 rows and of b's 8 N rows. Warp w of the group has rows 16 w to 16 w + 15 of the sums, laid
/// out as those of mma_block. T: F16 or Bf16; N: 8, 16 or 32.
template <class T, int N>
__device__ __forceinline__ void warp_group_multiply(float (&sum)[N][4], std::uint64_t a, std::uint64_t b) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::warp_group_multiply<T, N>(sum, a, b);
#else
  detail::wgmma<T, false>(sum, a, b);
#endif
}

/// The same for operands whose depth is outermost, both: the descriptors are transposed_descriptor()s.
template <class T, int N>
__device__ __forceinline__ void warp_group_multiply_transposed(float (&sum)[N][4], std::uint64_t a,
                                                               std::uint64_t b) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::warp_group_multiply_transposed<T, N>(sum, a, b);
#else
  detail::wgmma<T, true>(sum, a, b);
#endif
}

/// Moves registers of the block from warp groups that need few to those that need many: each group of a block
/// calls one of them, once. Count: a multiple of 8.
template <int Count>
__device__ __forceinline__ void keep_registers() {
#ifndef CUDA_ON_CPU
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}
template <int Count>
__device__ __forceinline__ void take_registers() {
#ifndef CUDA_ON_CPU
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}

}  // namespace tpn::cuda
