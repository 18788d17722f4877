// Zeros for the phases of a data gradient that no tap meets (conv_data_gradient_form.h): of a 1x1 shortcut of
// stride 2 three quarters of dx. One thread per 16 bytes of dx. Bytes: theirs, written.
#include "kernels/cuda/conv_gap_zeros.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"

namespace tpn::cuda {
namespace {

/// Whether the position has no taps in a direction.
__device__ __forceinline__ bool in_gap(std::uint32_t position, int padding, int stride, int kernel) {
  return (static_cast<int>(position) + padding) % stride >= kernel;
}

template <class T>
__global__ void __launch_bounds__(256)
    conv_gap_zeros(T* dx, Vectors<T> vectors, Divisor in_t, Divisor in_h, Divisor in_w, Extent kernel,
                   Extent stride, Extent padding) {
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto [row, w] = in_w.divide(pixel);
    const auto [frame, h] = in_h.divide(row);
    const std::uint32_t t = in_t.divide(frame).remainder;
    if (in_gap(t, padding.t, stride.t, kernel.t) || in_gap(h, padding.h, stride.h, kernel.h) ||
        in_gap(w, padding.w, stride.w, kernel.w)) {
      store_vector(dx + pixel * vectors.stride + channel, Vector<T, vector_size<T>>{});
    }
  });
}

}  // namespace

void enqueue_gap_zeros(const ConvForm& forward, const ActivationLayout& dx, const TensorView& to,
                       cudaStream_t stream) {
  const ConvSizes& s = forward.sizes;
  const auto divisor = [](int by) { return Divisor(static_cast<std::uint32_t>(by)); };
  with_element_type(to.dtype, [&]<class T>(T) {
    const Vectors<T> vectors(dx);
    launch("conv_gap_zeros", conv_gap_zeros<T>, one_thread_each(vectors.count), stream,
           aligned_elements<T>(to), vectors, divisor(dx.t), divisor(dx.h), divisor(dx.w), s.kernel, s.stride,
           s.padding);
  });
}

}  // namespace tpn::cuda
