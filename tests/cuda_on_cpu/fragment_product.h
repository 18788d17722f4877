// The arithmetic of emulated tensor cores: a warp's matrix product, from and to the registers of its lanes.
#pragma once

#include <array>
#include <cstdint>

#include "tests/cuda_on_cpu/tensor_core.h"

namespace tpn::cuda_on_cpu {

/// One warp's call of multiply_fragments; registers by lane.
struct FragmentProduct {
  Operand type;
  int m;
  int n;
  std::array<float*, 32> sum;              // [m][n][4]
  std::array<const std::uint32_t*, 32> a;  // [m][4]
  std::array<const std::uint32_t*, 32> b;  // [n][2]
};

inline constexpr int max_tiles = 32;  // of m and of n

// The same source compiled for two instruction sets; run_fragment_product takes the better that the machine
// has.
namespace sse2 {
void run(const FragmentProduct& product);
}
namespace avx2 {
void run(const FragmentProduct& product);
}
void run_fragment_product(const FragmentProduct& product);

}  // namespace tpn::cuda_on_cpu
