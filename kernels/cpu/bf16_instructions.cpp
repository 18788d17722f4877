// Compiled for AVX-512 with bf16, whatever other sources are compiled for: only what has been asked for runs.
#include <immintrin.h>

#include "kernels/cpu/bf16_speed.h"

namespace tpn::cpu {
namespace {

constexpr int independent = 12;  // more than are in flight

/// Vectors are hidden from the compiler, which would leave out what nobody reads.
template <class Multiply>
[[gnu::always_inline]] inline void repeat(int count, const Multiply& multiply) {
  __m512 sums[independent];  // NOLINT(modernize-avoid-c-arrays): of registers
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int i = 0; i < count; i += independent) {
    for (__m512& sum : sums) multiply(sum);
  }
  for (__m512& sum : sums) asm volatile("" : : "v"(sum));
}

}  // namespace

void repeat_f32_products(int count) {
  const __m512 one = _mm512_set1_ps(1);
  repeat(count, [&](__m512& sum) { asm volatile("vfmadd231ps %1, %1, %0" : "+v"(sum) : "v"(one)); });
}

void repeat_bf16_products(int count) {
  const __m512 ones = _mm512_set1_ps(1);  // bits of 1 and 0 in turns
  repeat(count, [&](__m512& sum) { asm volatile("vdpbf16ps %1, %1, %0" : "+v"(sum) : "v"(ones)); });
}

}  // namespace tpn::cpu
