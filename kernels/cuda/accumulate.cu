// accumulate: one pass over all sums and gradients, 12 bytes an element (8 where nothing is kept). Whether a
// sum is kept is read on the device.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/pair_list.cuh"
#include "kernels/ops/accumulate.h"

namespace tpn::cuda {
namespace {

/// Adds Count elements of a gradient, the second of the pair, to its sum.
template <int Count>
__device__ __forceinline__ void add_at(bool keep, const PairEntry& entry, std::int64_t i) {
  auto sum = load_vector<Count>(entry.second + i);
  if (keep) {
    const auto old = load_vector<Count>(entry.first + i);
#pragma unroll
    for (int e = 0; e < Count; ++e) sum[e] += old[e];
  }
  store_vector(entry.made + i, sum);
}

__global__ void __launch_bounds__(pair_threads)
    accumulate(const __grid_constant__ TensorList<PairEntry> list, const float* keep) {
  const bool keeps = *keep != 0;
  for_each_pair_vector(list, [&](auto count, const PairEntry& entry, std::int64_t i) {
    add_at<decltype(count)::value>(keeps, entry, i);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Accumulate&, const Signature& s) {
  return launch_kernel(pairs_description(s.outputs), [](auto in, auto out, cudaStream_t stream) {
    launch_pairs("accumulate", accumulate, in.subspan(1), out, aligned_elements<float>(in[0]), stream);
  });
}

}  // namespace tpn::cuda
