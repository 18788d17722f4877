// accumulate: one pass over all sums and gradients, 12 bytes an element (8 where nothing is kept). Whether a
// sum is kept is read on the device.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/tensor_list.cuh"
#include "kernels/ops/accumulate.h"

namespace tpn::cuda {
namespace {

constexpr int list_threads = 256;
constexpr int part_elements = 4096;  ///< of a block

struct SumEntry {
  const float *old, *gradient;
  float* sum;  ///< may be the old one
};

/// Adds Count elements at i.
template <int Count>
__device__ __forceinline__ void add_at(bool keep, const SumEntry& entry, std::int64_t i) {
  auto sum = load_vector<Count>(entry.gradient + i);
  if (keep) {
    const auto old = load_vector<Count>(entry.old + i);
#pragma unroll
    for (int e = 0; e < Count; ++e) sum[e] += old[e];
  }
  store_vector(entry.sum + i, sum);
}

__global__ void __launch_bounds__(list_threads)
    accumulate(const __grid_constant__ TensorList<SumEntry> list, const float* keep) {
  const bool keeps = *keep != 0;
  const auto part = list.part(blockIdx.x, part_elements);
  for_each_vector<list_threads, 2>(
      part, [&](auto count, std::int64_t i) { add_at<decltype(count)::value>(keeps, part.tensor, i); });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Accumulate&, const Signature& s) {
  KernelDescription description{.implementation = "lists", .work = {}};
  for (const Operand& sum : s.outputs) {
    description.work.bytes += 3 * sum.shape.count() * static_cast<std::int64_t>(sizeof(float));
  }
  return launch_kernel(description, [](auto in, auto out, cudaStream_t stream) {
    std::vector<ListedTensor<SumEntry>> sums;
    for (std::size_t i = 0; i < out.size(); ++i) {
      sums.push_back({{aligned_elements<float>(in[2 * i + 1]), aligned_elements<float>(in[2 * i + 2]),
                       aligned_elements<float>(out[i])},
                      out[i].shape.count()});
    }
    const float* keep = aligned_elements<float>(in[0]);
    for_each_list<SumEntry>(sums, part_elements, [&](const TensorList<SumEntry>& list, std::uint32_t blocks) {
      launch("accumulate", accumulate, {dim3(blocks), dim3(list_threads)}, stream, list, keep);
    });
  });
}

}  // namespace tpn::cuda
