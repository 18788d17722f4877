// Sums what the splits of a weight's gradient have left, in their order, and puts it into the order of the
// parameter. One thread an element: those side by side read, between them, whole sectors of each split, and
// write side by side.
// Bytes: splits x weights x 4 read (mostly from L2), weights x 4 written.
#include "kernels/cuda/conv_positions.cuh"
#include "kernels/cuda/weight_gradient_variants.h"

namespace tpn::cuda {
namespace {

__global__ void __launch_bounds__(conv_threads) weight_gradient_sum_kernel(const WeightGradientProblem p) {
  const ConvSizes& s = p.sizes;
  const int index = static_cast<int>(blockIdx.x * conv_threads + threadIdx.x);
  const int outputs = s.groups * s.columns;
  if (index >= outputs * p.weight_row.divisor) return;
  int output = index;
  const int place = p.places[divide(output, p.weight_row)];
  const float* from = p.partial + static_cast<std::int64_t>(output) * s.row_elements + place;
  const std::int64_t split_elements = static_cast<std::int64_t>(outputs) * s.row_elements;
  float sum = 0;
#pragma unroll 8  // loads that do not wait for each other
  for (int split = 0; split < p.schedule.splits; ++split) sum += from[split * split_elements];
  p.dweight[index] = sum;
}

}  // namespace

void (*weight_gradient_sum())(WeightGradientProblem) {
  return weight_gradient_sum_kernel;
}

}  // namespace tpn::cuda
