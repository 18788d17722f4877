// channel_slice: copies some channels, the gradient of concat.
//
// Where they begin on vectors one thread copies 16 bytes; otherwise one thread copies one element. What lies
// behind the last of them in x is another part's: the padding of y gets zeros. Bytes: the slice twice.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/concat.h"

namespace tpn::cuda {
namespace {

struct Slice {
  Divisor units;            ///< groups of Count channels of a pixel of y
  std::uint32_t count = 0;  ///< of those, in all pixels
  int channels = 0;         ///< of y
  int offset = 0;           ///< in x
  std::int64_t x_stride = 0, y_stride = 0;
};

/// y[pixel][c] = x[pixel][offset + c], or 0 past y's channels, Count channels at a time.
template <class T, int Count>
__global__ void __launch_bounds__(256) channel_slice(const T* x, T* y, Slice s) {
  for_each_index(s.count, [&](std::uint32_t i) {
    const auto [pixel, unit] = s.units.divide(i);
    const int channel = static_cast<int>(unit) * Count;
    Vector<T, Count> value{};
    if (channel < s.channels) value = load_vector<Count>(x + pixel * s.x_stride + s.offset + channel);
#pragma unroll
    for (int e = 1; e < Count; ++e) {
      if (channel + e >= s.channels) value[e] = T{};
    }
    store_vector(y + pixel * s.y_stride + channel, value);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::ChannelSlice& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const bool on_vectors = op.begin % vector_size<T> == 0;
    const int units = y.padded_channels() / (on_vectors ? vector_size<T> : 1);
    if (!on_vectors) (void)element_count(op.name, y);
    const Slice slice{divisor(units),
                      static_cast<std::uint32_t>(y.pixels()) * static_cast<std::uint32_t>(units),
                      y.c,
                      static_cast<int>(op.begin),
                      x.stride,
                      y.stride};
    const KernelDescription description{.implementation = on_vectors ? "vectors" : "elements",
                                        .work = {.bytes = 2 * y.bytes(sizeof(T))}};
    return launch_kernel(description, [slice, on_vectors](auto in, auto out, cudaStream_t stream) {
      launch("channel_slice", on_vectors ? channel_slice<T, vector_size<T>> : channel_slice<T, 1>,
             one_thread_each(slice.count), stream, aligned_elements<T>(in[0]), aligned_elements<T>(out[0]),
             slice);
    });
  });
}

}  // namespace tpn::cuda
