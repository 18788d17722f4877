// Compiled for AVX2 with FMA, whatever other sources are compiled for.
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_code.h"

namespace tpn::cpu {
namespace {

/// 12 of 16 registers hold sums.
struct Avx2 : F32Words<float __attribute__((vector_size(32)))> {
  static constexpr int width = 8, rows = 6, vectors = 2;
  static constexpr const char* names[] = {"winograd_4:avx2", "winograd_4x2:avx2", "winograd_halving:avx2",
                                          "product:avx2", "product_halving:avx2"};
};

}  // namespace

const WinogradCode& winograd_code_avx2(WinogradAlgorithm algorithm) {
  return winograd_code<Avx2, float>(algorithm);
}

}  // namespace tpn::cpu
