// The arithmetic of emulated tensor cores: a warp's matrix product, from and to the registers of its lanes,
// and that of a group of warps, from and to rows.
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

/// sum += a b^T, all row-major without gaps.
struct TileProduct {
  Operand type;            // bf16 or f16
  int rows;                // a multiple of 4
  int columns;             // a multiple of 16
  int depth;               // a multiple of 16
  const std::uint16_t* a;  // [rows][depth]
  const std::uint16_t* b;  // [columns][depth]
  float* sum;              // [rows][columns]
};

inline constexpr int max_rows = 64;
inline constexpr int max_columns = 256;
inline constexpr int max_depth = 64;

// The same source compiled for two instruction sets; run_... takes the better that the machine has.
namespace sse2 {
void run(const FragmentProduct& product);
void run(const TileProduct& product);
}  // namespace sse2
namespace avx2 {
void run(const FragmentProduct& product);
void run(const TileProduct& product);
}  // namespace avx2
void run_fragment_product(const FragmentProduct& product);
void run_tile_product(const TileProduct& product);

}  // namespace tpn::cuda_on_cpu
