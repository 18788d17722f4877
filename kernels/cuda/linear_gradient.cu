// The gradients of linear, in f32: dx = dy weight, dweight = dy^T x, dbias = sum over n of dy.
//
// Matrices of tens of rows (views), hundreds of classes and some thousand channels: a few MB, mostly the
// weight or its gradient, which are read or written once by neighbouring lanes; what is small comes from the
// caches. Sums are made in a fixed order.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ops/linear.h"

namespace tpn::cuda {
namespace {

constexpr int data_warps = 8;

/// dy: (N,K), weight: (K,C), dx: (N,C), all dense. Blocks: (C / (32 Count), N); the warps of one share the
/// classes, and their sums meet in shared memory. Count: elements of C that are read at once.
template <int Count>
__global__ void __launch_bounds__(warp_size* data_warps)
    linear_data_gradient(const float* dy, const float* weight, float* dx, int classes, int depth) {
  constexpr int width = warp_size * Count;
  TPN_SHARED(float, sums, data_warps* width);
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  const int first = static_cast<int>(blockIdx.x) * width, c = first + lane * Count;
  const std::int64_t row = blockIdx.y;

  float sum[Count] = {};
  if (c < depth) {
#pragma unroll 4
    for (int k = warp; k < classes; k += data_warps) {
      const float factor = dy[row * classes + k];
      const auto w = load_vector<Count>(weight + static_cast<std::int64_t>(k) * depth + c);
#pragma unroll
      for (int e = 0; e < Count; ++e) sum[e] = fmaf(factor, w[e], sum[e]);
    }
  }
#pragma unroll
  for (int e = 0; e < Count; ++e) sums[warp * width + lane * Count + e] = sum[e];
  __syncthreads();

  for (int i = warp * warp_size + lane; i < width && first + i < depth; i += data_warps * warp_size) {
    float total = 0;
#pragma unroll
    for (int w = 0; w < data_warps; ++w) total += sums[w * width + i];
    dx[row * depth + first + i] = total;
  }
}

/// dy: (N,K), x: (N,C), dweight: (K,C), all dense. A thread makes Count elements of C; units: of those in a
/// row.
template <int Count>
__global__ void __launch_bounds__(256)
    linear_weight_gradient(const float* dy, const float* x, float* dweight, int rows, int classes, int depth,
                           std::uint32_t count, Divisor units) {
  for_each_index(count, [&](std::uint32_t i) {
    const auto [k, unit] = units.divide(i);
    const std::int64_t c = std::int64_t{unit} * Count;
    Vector<float, Count> sum{};
#pragma unroll 4
    for (std::int64_t n = 0; n < rows; ++n) {
      const float factor = dy[n * classes + k];
      const auto value = load_vector<Count>(x + n * depth + c);
#pragma unroll
      for (int e = 0; e < Count; ++e) sum[e] = fmaf(factor, value[e], sum[e]);
    }
    store_vector(dweight + std::int64_t{k} * depth + c, sum);
  });
}

/// dy: (N,K) dense, dbias: (K).
__global__ void __launch_bounds__(256)
    linear_bias_gradient(const float* dy, float* dbias, int rows, int classes) {
  for_each_index(static_cast<std::uint32_t>(classes), [&](std::uint32_t k) {
    float sum = 0;
    for (std::int64_t n = 0; n < rows; ++n) sum += dy[n * classes + k];
    dbias[k] = sum;
  });
}

/// Elements of rows of that length that are read at once.
int vector_count(int length) {
  return length % 4 == 0 ? 4 : 1;
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::LinearDataGradient& op, const Signature& s) {
  const MatrixLayout dy = matrix_layout(op.name, s.inputs[0]), weight = matrix_layout(op.name, s.inputs[1]),
                     dx = matrix_layout(op.name, s.outputs[0]);
  const int width = warp_size * vector_count(dx.columns);
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>((dx.columns + width - 1) / width), static_cast<unsigned>(dx.rows));
  shape.block = dim3(warp_size, data_warps);
  const KernelDescription description{.implementation = "blocks",
                                      .work = {.bytes = dy.bytes() + weight.bytes() + dx.bytes(),
                                               .multiply_adds = std::int64_t{dx.rows} * weight.bytes() / 4}};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("linear_data_gradient",
           vector_count(dx.columns) == 4 ? linear_data_gradient<4> : linear_data_gradient<1>, shape, stream,
           aligned_elements<float>(in[0]), aligned_elements<float>(in[1]), aligned_elements<float>(out[0]),
           dy.columns, dx.columns);
  });
}

std::unique_ptr<Kernel> compile(const ops::LinearWeightGradient& op, const Signature& s) {
  const MatrixLayout dy = matrix_layout(op.name, s.inputs[0]), x = matrix_layout(op.name, s.inputs[1]),
                     dweight = matrix_layout(op.name, s.outputs[0]);
  const int units = x.columns / vector_count(x.columns);
  const auto count = static_cast<std::uint32_t>(dweight.rows) * static_cast<std::uint32_t>(units);
  const KernelDescription description{.implementation = "vectors",
                                      .work = {.bytes = dy.bytes() + x.bytes() + dweight.bytes(),
                                               .multiply_adds = std::int64_t{dy.rows} * dweight.bytes() / 4}};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("linear_weight_gradient",
           vector_count(x.columns) == 4 ? linear_weight_gradient<4> : linear_weight_gradient<1>,
           one_thread_each(count), stream, aligned_elements<float>(in[0]), aligned_elements<float>(in[1]),
           aligned_elements<float>(out[0]), dy.rows, dy.columns, x.columns, count, divisor(units));
  });
}

std::unique_ptr<Kernel> compile(const ops::LinearBiasGradient& op, const Signature& s) {
  const MatrixLayout dy = matrix_layout(op.name, s.inputs[0]);
  const KernelDescription description{.implementation = "columns",
                                      .work = {.bytes = dy.bytes() + 4 * std::int64_t{dy.columns}}};
  return launch_kernel(description, [dy](auto in, auto out, cudaStream_t stream) {
    launch("linear_bias_gradient", linear_bias_gradient, one_thread_each(dy.columns), stream,
           aligned_elements<float>(in[0]), aligned_elements<float>(out[0]), dy.rows, dy.columns);
  });
}

}  // namespace tpn::cuda
