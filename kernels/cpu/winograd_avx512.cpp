// Compiled for AVX-512, whatever other sources are compiled for.
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_code.h"

namespace tpn::cpu {
namespace {

struct Avx512 : Avx512Registers, F32Words<float __attribute__((vector_size(64)))> {
  static constexpr const char* names[] = {"winograd_4:avx512", "winograd_4x2:avx512",
                                          "winograd_halving:avx512", "product:avx512",
                                          "product_halving:avx512"};
};

}  // namespace

const WinogradCode& winograd_code_avx512(WinogradAlgorithm algorithm) {
  return winograd_code<Avx512, float>(algorithm);
}

const WinogradCode& winograd_code_avx512_widening(WinogradAlgorithm algorithm) {
  return winograd_code<Avx512, std::uint16_t>(algorithm);
}

}  // namespace tpn::cpu
