// Compiled for AVX-512 with bf16, whatever other sources are compiled for.
#include <immintrin.h>

#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_code.h"

namespace tpn::cpu {
namespace {

/// Words of two bf16, of which the first is the lower half.
struct Avx512Bf16 : Avx512Registers {
  using Float = float __attribute__((vector_size(64)));
  /// Rounded to bf16, what F(4,3) transforms makes results 2.5 times as far off as those of a direct
  /// convolution, what F(2,3) transforms 1.4 times.
  using Longest = TwoOutputs;
  static constexpr int channels = 2;
  static constexpr const char* names[] = {"winograd_2:avx512_bf16", "winograd_2x2:avx512_bf16",
                                          "winograd_halving:avx512_bf16", "product:avx512_bf16",
                                          "product_halving:avx512_bf16"};

  /// Of element[0] and element[second].
  static TPN_INLINE Float pack(const Float* element, std::int64_t second) {
    const auto halves = __builtin_bit_cast(__m512i, _mm512_cvtne2ps_pbh(element[second], element[0]));
    const __m512i in_turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                              23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return __builtin_bit_cast(Float, _mm512_permutexvar_epi16(in_turns, halves));
  }

  static TPN_INLINE Float multiply_add(const Float& sum, float left, const Float& right) {
    return _mm512_dpbf16_ps(sum, __builtin_bit_cast(__m512bh, _mm512_set1_ps(left)),
                            __builtin_bit_cast(__m512bh, right));
  }
};

}  // namespace

const WinogradCode& winograd_code_avx512_bf16(WinogradAlgorithm algorithm) {
  return winograd_code<Avx512Bf16, std::uint16_t>(algorithm);
}

}  // namespace tpn::cpu
