// batch_norm: y = (x - mean) / sqrt(variance + eps) * scale + shift, folded beforehand into y = x * a + b.
//
// One thread per 16 bytes of y. The parameters (8 bytes a channel) come from the cache: every pixel reads the
// same ones. Bytes: x and y once.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/packing.h"
#include "kernels/ops/batch_norm.h"

namespace tpn::cuda {
namespace {

/// x, y: (N,T,H,W,C); y may be x. scale, shift: (C rounded up).
template <class T>
__global__ void __launch_bounds__(256) batch_norm(const T* x, const float* scale, const float* shift, T* y,
                                                  Vectors<T> vectors, std::int64_t x_stride) {
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto value = load_vector<vector_size<T>>(x + pixel * x_stride + channel);
    const Floats<vector_size<T>> a(scale + channel), b(shift + channel);
    store_vector(y + pixel * vectors.stride + channel,
                 map(value, [&](float v, int e) { return fmaf(v, a[e], b[e]); }));
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNorm& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  const auto norm = norm_packing(s, 1, op.eps);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{
        .implementation = "vectors",
        .work = {.bytes = x.bytes(sizeof(T)) + y.bytes(sizeof(T)) + static_cast<std::int64_t>(norm->bytes())},
        .in_place_input = x.stride == y.stride ? 0 : -1,
        .packings = {norm}};
    return launch_kernel(
        description, [x, norm, vectors = Vectors<T>(y)](auto in, auto out, auto packed, cudaStream_t stream) {
          const auto [scale, shift] = norm_constants(packed[0], *norm);
          launch("batch_norm", batch_norm<T>, one_thread_each(vectors.count), stream,
                 aligned_elements<T>(in[0]), scale, shift, aligned_elements<T>(out[0]), vectors, x.stride);
        });
  });
}

}  // namespace tpn::cuda
