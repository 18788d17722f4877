// relu_gradient: dx = dy where y > 0 or is NaN, else 0, one thread per 16 bytes; memory traffic is all that
// counts: dy, y and dx once.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/relu.h"

namespace tpn::cuda {
namespace {

/// dy, y, dx: (N,T,H,W,C). dx may be dy.
template <class T>
__global__ void __launch_bounds__(256) relu_gradient(const T* dy, const T* y, T* dx, Vectors<T> vectors,
                                                     std::int64_t dy_stride, std::int64_t y_stride) {
  constexpr int size = vector_size<T>;
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    auto value = load_vector<size>(dy + pixel * dy_stride + channel);
    const auto kept = load_vector<size>(y + pixel * y_stride + channel);
#pragma unroll
    for (int e = 0; e < size; ++e) {
      if (to_float(kept[e]) <= 0) value[e] = T{};
    }
    store_vector(dx + pixel * vectors.stride + channel, value);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::ReluGradient& op, const Signature& s) {
  const ActivationLayout dy = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.inputs[1]),
                         dx = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{
        .implementation = "vectors",
        .work = {.bytes = dy.bytes(sizeof(T)) + y.bytes(sizeof(T)) + dx.bytes(sizeof(T))},
        .in_place_input = dy.stride == dx.stride ? 0 : -1};
    return launch_kernel(description, [=, vectors = Vectors<T>(dx)](auto in, auto out, cudaStream_t stream) {
      launch("relu_gradient", relu_gradient<T>, one_thread_each(vectors.count), stream,
             aligned_elements<T>(in[0]), aligned_elements<T>(in[1]), aligned_elements<T>(out[0]), vectors,
             dy.stride, y.stride);
    });
  });
}

}  // namespace tpn::cuda
