// moving_average: one pass over all parameters and their averages, 12 bytes an element.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/pair_list.cuh"
#include "kernels/ops/moving_average.h"

namespace tpn::cuda {
namespace {

/// Takes Count elements of a parameter into its average, the second of the pair.
template <int Count>
__device__ __forceinline__ void take_in_at(float share, const PairEntry& entry, std::int64_t i) {
  auto average = load_vector<Count>(entry.second + i);
  const auto parameter = load_vector<Count>(entry.first + i);
#pragma unroll
  for (int e = 0; e < Count; ++e) average[e] = fmaf(share, parameter[e] - average[e], average[e]);
  store_vector(entry.made + i, average);
}

__global__ void __launch_bounds__(pair_threads)
    moving_average(const __grid_constant__ TensorList<PairEntry> list, float share) {
  for_each_pair_vector(list, [&](auto count, const PairEntry& entry, std::int64_t i) {
    take_in_at<decltype(count)::value>(share, entry, i);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::MovingAverage& op, const Signature& s) {
  const auto share = static_cast<float>(1 - op.decay);
  return launch_kernel(pairs_description(s.outputs), [share](auto in, auto out, cudaStream_t stream) {
    launch_pairs("moving_average", moving_average, in, out, share, stream);
  });
}

}  // namespace tpn::cuda
