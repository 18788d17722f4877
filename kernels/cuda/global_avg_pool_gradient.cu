// global_avg_pool_gradient: each pixel of dx has its channel's dy / (T H W).
//
// One thread per 16 bytes of dx. dy, 4 bytes a channel and view, comes from the cache. Bytes: dx once.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/global_avg_pool.h"

namespace tpn::cuda {
namespace {

/// dy: (N,C) dense, dx: (N, cells, C). Count, 4 or 1: elements of dy that are read at once; C is a multiple.
template <class T, int Count>
__global__ void __launch_bounds__(256)
    global_avg_pool_gradient(const float* dy, T* dx, Vectors<T> vectors, Divisor cells, int channels) {
  constexpr int size = vector_size<T>;
  const auto divisor = static_cast<float>(cells.value());
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const std::int64_t view = cells.divide(pixel).quotient;
    Vector<T, size> value{};
#pragma unroll
    for (int e = 0; e < size; e += Count) {
      if (channel + e >= channels) continue;  // padding stays zero
      const auto part = load_vector<Count>(dy + view * channels + channel + e);
#pragma unroll
      for (int j = 0; j < Count; ++j) value[e + j] = from_float<T>(part[j] / divisor);
    }
    store_vector(dx + pixel * vectors.stride + channel, value);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::GlobalAvgPoolGradient& op, const Signature& s) {
  const MatrixLayout dy = matrix_layout(op.name, s.inputs[0]);
  const ActivationLayout dx = activation_layout(op.name, s.outputs[0]);
  const Divisor cells = divisor(std::int64_t{dx.t} * dx.frame_pixels());
  return with_element_type(s.outputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{.implementation = "vectors",
                                        .work = {.bytes = dy.bytes() + dx.bytes(sizeof(T))}};
    return launch_kernel(description, [=, vectors = Vectors<T>(dx)](auto in, auto out, cudaStream_t stream) {
      launch("global_avg_pool_gradient",
             dx.c % 4 == 0 ? global_avg_pool_gradient<T, 4> : global_avg_pool_gradient<T, 1>,
             one_thread_each(vectors.count), stream, aligned_elements<float>(in[0]),
             aligned_elements<T>(out[0]), vectors, cells, dx.c);
    });
  });
}

}  // namespace tpn::cuda
