// Lists of dense f32 tensors that are made of two others each, element by element.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/tensor_list.cuh"

namespace tpn::cuda {

struct PairEntry {
  const float *first, *second;
  float* made;  ///< may be one of them
};

inline constexpr int pair_threads = 256;
inline constexpr int pair_part_elements = 4096;  ///< of a block

/// Calls body(std::integral_constant of how many elements, the tensors, first element) for what the thread
/// has of the list.
template <class Body>
__device__ __forceinline__ void for_each_pair_vector(const TensorList<PairEntry>& list, const Body& body) {
  const auto part = list.part(blockIdx.x, pair_part_elements);
  for_each_vector<pair_threads, 2>(part, [&](auto count, std::int64_t i) { body(count, part.tensor, i); });
}

/// Of a kernel that reads both tensors and writes the third.
inline KernelDescription pairs_description(std::span<const Operand> outputs) {
  KernelDescription description{.implementation = "lists", .work = {}};
  for (const Operand& made : outputs) {
    description.work.bytes += 3 * made.shape.count() * static_cast<std::int64_t>(sizeof(float));
  }
  return description;
}

/// Starts kernel(list, argument) for all tensors. inputs: two for each output.
template <class Argument>
void launch_pairs(const char* name, void (*kernel)(TensorList<PairEntry>, Argument),
                  std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
                  Argument argument, cudaStream_t stream) {
  std::vector<ListedTensor<PairEntry>> pairs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    pairs.push_back({{aligned_elements<float>(inputs[2 * i]), aligned_elements<float>(inputs[2 * i + 1]),
                      aligned_elements<float>(outputs[i])},
                     outputs[i].shape.count()});
  }
  for_each_list<PairEntry>(pairs, pair_part_elements,
                           [&](const TensorList<PairEntry>& list, std::uint32_t blocks) {
                             launch(name, kernel, {dim3(blocks), dim3(pair_threads)}, stream, list, argument);
                           });
}

}  // namespace tpn::cuda
