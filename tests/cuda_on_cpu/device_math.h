// CUDA's arithmetic functions, as far as C does not have them. The fast approximations are exact here.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace tpn::cuda_on_cpu {

/// Keeps a product or sum from being contracted with what follows.
inline float rounded(float value) {
  asm volatile("" : "+x"(value));
  return value;
}

}  // namespace tpn::cuda_on_cpu

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): CUDA's names

inline float __fmaf_rn(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline float __fadd_rn(float a, float b) {
  return tpn::cuda_on_cpu::rounded(a + b);
}
inline float __fsub_rn(float a, float b) {
  return tpn::cuda_on_cpu::rounded(a - b);
}
inline float __fmul_rn(float a, float b) {
  return tpn::cuda_on_cpu::rounded(a * b);
}
inline float __fdiv_rn(float a, float b) {
  return a / b;
}
inline float __frcp_rn(float a) {
  return 1.0F / a;
}
inline float __fsqrt_rn(float a) {
  return __builtin_sqrtf(a);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float __expf(float a) {
  return std::exp(a);
}
inline float __exp10f(float a) {
  return std::pow(10.0F, a);
}
inline float __logf(float a) {
  return std::log(a);
}
inline float __log2f(float a) {
  return std::log2(a);
}
inline float __powf(float a, float b) {
  return std::pow(a, b);
}
inline float __sinf(float a) {
  return std::sin(a);
}
inline float __cosf(float a) {
  return std::cos(a);
}
inline float __saturatef(float a) {
  return a >= 0.0F ? std::min(a, 1.0F) : 0.0F;
}  // NaN gives 0
inline float rsqrtf(float a) {
  return 1.0F / __builtin_sqrtf(a);
}
inline double rsqrt(double a) {
  return 1.0 / __builtin_sqrt(a);
}

inline unsigned __float_as_uint(float a) {
  return std::bit_cast<unsigned>(a);
}
inline int __float_as_int(float a) {
  return std::bit_cast<int>(a);
}
inline float __uint_as_float(unsigned a) {
  return std::bit_cast<float>(a);
}
inline float __int_as_float(int a) {
  return std::bit_cast<float>(a);
}
inline float __int2float_rn(int a) {
  return static_cast<float>(a);
}
inline float __uint2float_rn(unsigned a) {
  return static_cast<float>(a);
}

namespace tpn::cuda_on_cpu {

/// As the machine converts: saturated, NaN gives 0.
inline int to_int(float whole) {
  if (!(whole == whole)) return 0;
  if (whole >= 2147483648.0F) return 2147483647;
  if (whole < -2147483648.0F) return -2147483647 - 1;
  return static_cast<int>(whole);
}
inline unsigned to_unsigned(float whole) {
  if (!(whole > 0.0F)) return 0;
  if (whole >= 4294967296.0F) return 4294967295U;
  return static_cast<unsigned>(whole);
}

}  // namespace tpn::cuda_on_cpu

inline int __float2int_rn(float a) {
  return tpn::cuda_on_cpu::to_int(std::nearbyint(a));
}
inline int __float2int_rz(float a) {
  return tpn::cuda_on_cpu::to_int(std::trunc(a));
}
inline int __float2int_rd(float a) {
  return tpn::cuda_on_cpu::to_int(std::floor(a));
}
inline int __float2int_ru(float a) {
  return tpn::cuda_on_cpu::to_int(std::ceil(a));
}
inline unsigned __float2uint_rn(float a) {
  return tpn::cuda_on_cpu::to_unsigned(std::nearbyint(a));
}
inline unsigned __float2uint_rz(float a) {
  return tpn::cuda_on_cpu::to_unsigned(std::trunc(a));
}

inline int __popc(unsigned a) {
  return std::popcount(a);
}
inline int __clz(int a) {
  return std::countl_zero(static_cast<unsigned>(a));
}
inline int __ffs(int a) {
  return __builtin_ffs(a);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(std::uint64_t{a} * b >> 32);
}
inline int __mulhi(int a, int b) {
  return static_cast<int>(std::int64_t{a} * b >> 32);
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const std::uint64_t bytes = std::uint64_t{b} << 32 | a;
  unsigned result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned choice = selector >> (4 * i) & 0xfU;
    const auto byte = static_cast<unsigned>(bytes >> (8 * (choice & 7U)) & 0xffU);
    result |= ((choice & 8U) != 0 ? (byte >> 7) * 0xffU : byte) << (8 * i);
  }
  return result;
}

// In CUDA these are in the global namespace for all arithmetic types.
inline int min(int a, int b) {
  return std::min(a, b);
}
inline int max(int a, int b) {
  return std::max(a, b);
}
inline unsigned min(unsigned a, unsigned b) {
  return std::min(a, b);
}
inline unsigned max(unsigned a, unsigned b) {
  return std::max(a, b);
}
inline long min(long a, long b) {
  return std::min(a, b);
}
inline long max(long a, long b) {
  return std::max(a, b);
}
inline long long min(long long a, long long b) {
  return std::min(a, b);
}
inline long long max(long long a, long long b) {
  return std::max(a, b);
}
inline unsigned long min(unsigned long a, unsigned long b) {
  return std::min(a, b);
}
inline unsigned long max(unsigned long a, unsigned long b) {
  return std::max(a, b);
}
inline unsigned long long min(unsigned long long a, unsigned long long b) {
  return std::min(a, b);
}
inline unsigned long long max(unsigned long long a, unsigned long long b) {
  return std::max(a, b);
}
inline float min(float a, float b) {
  return std::fmin(a, b);
}
inline float max(float a, float b) {
  return std::fmax(a, b);
}
inline double min(double a, double b) {
  return std::fmin(a, b);
}
inline double max(double a, double b) {
  return std::fmax(a, b);
}

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
