#include "kernels/cpu/bf16_speed.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "kernels/cpu/onednn.h"

namespace tpn::cpu {
namespace {

double seconds_of(void (*repeat)(int)) {
  constexpr int instructions = 12'000;  // some microseconds
  const auto start = std::chrono::steady_clock::now();
  repeat(instructions);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double bf16_instruction_ratio() {
  // The best of many: what disturbs one of them, as other work and a clock that rises, only makes it longer.
  double f32 = std::numeric_limits<double>::max(), bf16 = f32;
  for (int i = 0; i < 40; ++i) {
    f32 = std::min(f32, seconds_of(repeat_f32_products));
    bf16 = std::min(bf16, seconds_of(repeat_bf16_products));
  }
  return bf16 / f32;
}

bool gains_by_bf16() {
  static const bool gains = [] {
    if (computes_with(dnnl::cpu_isa::avx512_core_amx)) return true;
    if (!computes_with(dnnl::cpu_isa::avx512_core_bf16)) return false;
    // Processors seen so far are at 1 or at 4, far from where both types are as fast.
    return bf16_instruction_ratio() < 2;
  }();
  return gains;
}

}  // namespace tpn::cpu
