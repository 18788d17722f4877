// softmax: y_k = exp(x_k - max x) / sum_j exp(x_j - max x), in f32.
//
// A warp takes a row and reads it three times, from the cache after the first. Rows are few (views) and short
// (hundreds of classes): only the launch counts.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ops/softmax.h"

namespace tpn::cuda {
namespace {

/// x, y: (N,K) dense; y may be x. A block of one warp for each row.
__global__ void __launch_bounds__(warp_size) softmax(const float* x, float* y, int classes) {
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t row = blockIdx.x;
  const SoftmaxTerms terms = softmax_terms(x + row * classes, classes, lane);
  for (int k = lane; k < classes; k += warp_size) {
    y[row * classes + k] = expf(x[row * classes + k] - terms.top) / terms.sum;
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Softmax& op, const Signature& s) {
  const MatrixLayout x = matrix_layout(op.name, s.inputs[0]);
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>(x.rows));
  shape.block = dim3(warp_size);
  const KernelDescription description{
      .implementation = "warp_per_row", .work = {.bytes = 2 * x.bytes()}, .in_place_input = 0};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("softmax", softmax, shape, stream, aligned_elements<float>(in[0]), aligned_elements<float>(out[0]),
           x.columns);
  });
}

}  // namespace tpn::cuda
