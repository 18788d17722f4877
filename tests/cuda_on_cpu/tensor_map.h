// What CUtensorMap holds here: a tensor in device memory and the boxes that are copied of it (TMA, tiled).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

struct CUtensorMap_st;

namespace tpn::cuda_on_cpu {

/// What changes places within rows of 128 bytes in shared memory.
inline constexpr std::size_t swizzle_chunk_bytes = 16;

/// Dimensions go from the innermost. Those past the rank have an extent, a box and a step of 1.
struct TensorMap {
  static constexpr std::size_t max_rank = 5;
  template <class T>
  using PerDimension = std::array<T, max_rank>;

  std::uint64_t mark;  // tells whether it was encoded here
  const std::byte* address;
  PerDimension<std::uint64_t> extents;  // elements
  PerDimension<std::uint64_t> strides;  // bytes from an element to the next
  PerDimension<std::uint16_t> counts;   // elements of a box
  PerDimension<std::uint8_t> steps;     // from an element of a box to the next, in elements of the tensor
  std::uint8_t rank;
  std::uint8_t element_bytes;
  bool swizzled;  // by 128 bytes; otherwise not at all

  [[nodiscard]] std::size_t row_bytes() const { return std::size_t{counts[0]} * element_bytes; }
  [[nodiscard]] std::size_t rows() const {
    return std::size_t{counts[1]} * counts[2] * counts[3] * counts[4];
  }
};

/// Whether `map` was encoded by the driver function that cudaGetDriverEntryPointByVersion gives here; then
/// sets `decoded`.
bool decode(const CUtensorMap_st& map, TensorMap& decoded);

}  // namespace tpn::cuda_on_cpu
