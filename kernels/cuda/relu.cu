// relu: y = max(x, 0), one thread per 16 bytes; memory traffic is all that counts.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/relu.h"

namespace tpn::cuda {
namespace {

/// x, y: (N,T,H,W,C). y may be x.
template <class T>
__global__ void __launch_bounds__(256) relu(const T* x, T* y, Vectors<T> vectors, std::int64_t x_stride) {
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto value = load_vector<vector_size<T>>(x + pixel * x_stride + channel);
    store_vector(y + pixel * vectors.stride + channel,
                 map(value, [](float v, int) { return v < 0 ? 0.0F : v; }));  // NaN stays
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Relu& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{.implementation = "vectors",
                                        .work = {.bytes = x.bytes(sizeof(T)) + y.bytes(sizeof(T))},
                                        .in_place_input = x.stride == y.stride ? 0 : -1};
    return launch_kernel(description, [x, vectors = Vectors<T>(y)](auto in, auto out, cudaStream_t stream) {
      launch("relu", relu<T>, one_thread_each(vectors.count), stream, aligned_elements<T>(in[0]),
             aligned_elements<T>(out[0]), vectors, x.stride);
    });
  });
}

}  // namespace tpn::cuda
