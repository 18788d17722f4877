// moving_average: one pass over all parameters and their averages, 12 bytes an element.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/tensor_list.cuh"
#include "kernels/ops/moving_average.h"

namespace tpn::cuda {
namespace {

constexpr int list_threads = 256;
constexpr int part_elements = 4096;  ///< of a block

struct AverageEntry {
  const float *parameter, *old;
  float* average;  ///< may be the old one
};

/// Takes in Count elements at i.
template <int Count>
__device__ __forceinline__ void take_in_at(float share, const AverageEntry& entry, std::int64_t i) {
  auto average = load_vector<Count>(entry.old + i);
  const auto parameter = load_vector<Count>(entry.parameter + i);
#pragma unroll
  for (int e = 0; e < Count; ++e) average[e] = fmaf(share, parameter[e] - average[e], average[e]);
  store_vector(entry.average + i, average);
}

__global__ void __launch_bounds__(list_threads)
    moving_average(const __grid_constant__ TensorList<AverageEntry> list, float share) {
  const auto part = list.part(blockIdx.x, part_elements);
  for_each_vector<list_threads, 2>(
      part, [&](auto count, std::int64_t i) { take_in_at<decltype(count)::value>(share, part.tensor, i); });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::MovingAverage& op, const Signature& s) {
  KernelDescription description{.implementation = "lists", .work = {}};
  for (const Operand& average : s.outputs) {
    description.work.bytes += 3 * average.shape.count() * static_cast<std::int64_t>(sizeof(float));
  }
  const auto share = static_cast<float>(1 - op.decay);
  return launch_kernel(description, [share](auto in, auto out, cudaStream_t stream) {
    std::vector<ListedTensor<AverageEntry>> averages;
    for (std::size_t i = 0; i < out.size(); ++i) {
      averages.push_back({{aligned_elements<float>(in[2 * i]), aligned_elements<float>(in[2 * i + 1]),
                           aligned_elements<float>(out[i])},
                          out[i].shape.count()});
    }
    for_each_list<AverageEntry>(
        averages, part_elements, [&](const TensorList<AverageEntry>& list, std::uint32_t blocks) {
          launch("moving_average", moving_average, {dim3(blocks), dim3(list_threads)}, stream, list, share);
        });
  });
}

}  // namespace tpn::cuda
