// Kernels that run over many dense tensors in one launch: parameters and their gradients.
//
// Pointers and sizes travel as kernel parameters, some dozens of tensors a launch, so that nothing has to be
// copied to the device, and a CUDA graph keeps them. Each block has a part of one tensor.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.h"

namespace tpn::cuda {

/// Tensors of one launch. Entry: the pointers of one.
template <class Entry>
struct TensorList {
  struct Item {
    Entry tensor;
    std::int64_t count;         ///< elements
    std::uint32_t first_block;  ///< that has a part of it
  };
  static constexpr std::size_t capacity = (4096 - 512) / sizeof(Item);  ///< kernels take 4 KiB of parameters

  Item item[capacity] = {};
  std::uint32_t size = 0;

  /// What the block has to do.
  struct Part {
    const Entry& tensor;
    std::int64_t begin, end;  ///< elements
  };
  [[nodiscard]] __device__ __forceinline__ Part part(std::uint32_t block, int part_elements) const {
    std::uint32_t low = 0, high = size;  // the item is in [low, high)
    while (high - low > 1) {
      const std::uint32_t middle = (low + high) / 2;
      (item[middle].first_block <= block ? low : high) = middle;
    }
    const Item& found = item[low];
    const std::int64_t begin = static_cast<std::int64_t>(block - found.first_block) * part_elements;
    return {found.tensor, begin, min(begin + part_elements, found.count)};
  }
};

/// Calls body(std::integral_constant of how many elements, first element) for what the thread has of a
/// block's part: vectors of four, and what is left of them at a tensor's end. Parts begin on vectors.
template <int Threads, int Unroll, class Part, class Body>
__device__ __forceinline__ void for_each_vector(const Part& part, const Body& body) {
#pragma unroll Unroll
  for (std::int64_t i = part.begin + std::int64_t{threadIdx.x} * 4; i + 4 <= part.end;
       i += std::int64_t{Threads} * 4) {
    body(std::integral_constant<int, 4>{}, i);
  }
  const std::int64_t tail = part.end / 4 * 4 + threadIdx.x;
  if (tail < part.end) body(std::integral_constant<int, 1>{}, tail);
}

/// A tensor to be put on a list.
template <class Entry>
struct ListedTensor {
  Entry tensor;
  std::int64_t count;
};

/// Calls launch_list(list, blocks) with every list that the tensors fill, in order. part_elements: of a
/// block.
template <class Entry, class LaunchList>
void for_each_list(std::span<const ListedTensor<Entry>> tensors, int part_elements,
                   const LaunchList& launch_list) {
  TensorList<Entry> list;
  std::uint32_t blocks = 0;
  const auto flush = [&] {
    if (blocks > 0) launch_list(list, blocks);
    list.size = 0;
    blocks = 0;
  };
  for (const auto& [tensor, count] : tensors) {
    list.item[list.size++] = {tensor, count, blocks};
    blocks += static_cast<std::uint32_t>((count + part_elements - 1) / part_elements);
    if (list.size == TensorList<Entry>::capacity) flush();
  }
  flush();
}

}  // namespace tpn::cuda
