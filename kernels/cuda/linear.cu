// linear: y = x weight^T + bias, in f32.
//
// A warp makes one element of y: its lanes read 16 bytes each of a row of x and a row of the weight. x is
// small and the weight (400 x 2048 in the networks, 3.3 MB) comes from the L2 cache after the first row of x.
// Plans run classifier instead, which does the pooling before it too.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ops/linear.h"

namespace tpn::cuda {
namespace {

constexpr int linear_warps = 8;

/// x: (N,C), weight: (K,C), bias: (K), y: (N,K), all dense. Count: elements of C that are read at once.
template <int Count>
__global__ void __launch_bounds__(warp_size* linear_warps)
    linear(const float* x, const float* weight, const float* bias, float* y, int rows, int depth,
           int classes) {
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * linear_warps;
  for (std::int64_t i = blockIdx.x * std::int64_t{linear_warps} + threadIdx.y;
       i < static_cast<std::int64_t>(rows) * classes; i += step) {
    const std::int64_t row = i / classes, k = i % classes;
    const float sum = warp_dot<Count>(x + row * depth, weight + k * depth, depth, lane);
    if (lane == 0) y[i] = sum + bias[k];
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Linear& op, const Signature& s) {
  const MatrixLayout x = matrix_layout(op.name, s.inputs[0]), weight = matrix_layout(op.name, s.inputs[1]),
                     y = matrix_layout(op.name, s.outputs[0]);
  const std::int64_t elements = std::int64_t{y.rows} * y.columns;
  LaunchShape shape;
  shape.grid = dim3(
      static_cast<unsigned>(std::min<std::int64_t>((elements + linear_warps - 1) / linear_warps, 1 << 16)));
  shape.block = dim3(warp_size, linear_warps);
  const KernelDescription description{
      .implementation = "warp_dot",
      .work = {.bytes = x.bytes() + weight.bytes() + y.bytes() + 4 * std::int64_t{y.columns},
               .multiply_adds = elements * x.columns}};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("linear", x.columns % 4 == 0 ? linear<4> : linear<1>, shape, stream,
           aligned_elements<float>(in[0]), aligned_elements<float>(in[1]), aligned_elements<float>(in[2]),
           aligned_elements<float>(out[0]), y.rows, x.columns, y.columns);
  });
}

}  // namespace tpn::cuda
