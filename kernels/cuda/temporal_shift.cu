// temporal_shift: channels [0, fold) take the value of the next frame, [fold, 2 fold) that of the previous
// one, zero past the ends; the others stay.
//
// One thread per 16 bytes of y. A vector inside one of the three parts is one read; a vector that a boundary
// of the parts divides reads the frames it needs and takes each channel from its own. Bytes: x and y once.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/temporal_shift.h"

namespace tpn::cuda {
namespace {

struct ShiftShape {
  Divisor frame;   ///< H W
  Divisor frames;  ///< T
  int fold = 0;
  std::int64_t x_stride = 0;
};

/// x, y: (N,T,H,W,C), different memory.
template <class T>
__global__ void __launch_bounds__(256) temporal_shift(const T* x, T* y, Vectors<T> vectors, ShiftShape s) {
  constexpr int size = vector_size<T>;
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const int frames = static_cast<int>(s.frames.value());
    const int frame = static_cast<int>(s.frames.divide(s.frame.divide(pixel).quotient).remainder);
    const std::int64_t at = pixel * s.x_stride + channel, step = s.frame.value() * s.x_stride;

    Vector<T, size> value{};
    if (channel + size > 2 * s.fold) value = load_vector<size>(x + at);
    if (channel < s.fold) {
      Vector<T, size> next{};
      if (frame + 1 < frames) next = load_vector<size>(x + at + step);
#pragma unroll
      for (int e = 0; e < size; ++e) {
        if (channel + e < s.fold) value[e] = next[e];
      }
    }
    if (channel + size > s.fold && channel < 2 * s.fold) {
      Vector<T, size> previous{};
      if (frame > 0) previous = load_vector<size>(x + at - step);
#pragma unroll
      for (int e = 0; e < size; ++e) {
        if (channel + e >= s.fold && channel + e < 2 * s.fold) value[e] = previous[e];
      }
    }
    store_vector(y + pixel * vectors.stride + channel, value);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::TemporalShift& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  const ShiftShape shape{Divisor(static_cast<std::uint32_t>(x.frame_pixels())),
                         Divisor(static_cast<std::uint32_t>(x.t)), static_cast<int>(op.fold), x.stride};
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{.implementation = "vectors",
                                        .work = {.bytes = x.bytes(sizeof(T)) + y.bytes(sizeof(T))}};
    return launch_kernel(description,
                         [shape, vectors = Vectors<T>(y)](auto in, auto out, cudaStream_t stream) {
                           launch("temporal_shift", temporal_shift<T>, one_thread_each(vectors.count), stream,
                                  aligned_elements<T>(in[0]), aligned_elements<T>(out[0]), vectors, shape);
                         });
  });
}

}  // namespace tpn::cuda
