// add: y = a + b, where a side with one frame is repeated over T.
//
// One thread per 16 bytes of y: it reads 16 bytes of each side. Nothing but memory traffic counts (3 tensors'
// bytes; the side with one frame is read from the cache after the first time), and neighbouring threads read
// neighbouring vectors. The sum is made in f32 and rounded once.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/add.h"

namespace tpn::cuda {
namespace {

/// A side of the addition: y's pixel p reads pixel p, or that of the only frame.
struct Side {
  std::int64_t stride = 0;
  bool one_frame = false;
};

struct AddShape {
  Side a, b;
  Divisor frame;   ///< H W
  Divisor frames;  ///< T of y
};

template <class T>
__device__ __forceinline__ Vector<T, vector_size<T>> load_side(const T* data, const Side& side,
                                                               std::uint32_t pixel, std::uint32_t only_pixel,
                                                               int channel) {
  return load_vector<vector_size<T>>(data + (side.one_frame ? only_pixel : pixel) * side.stride + channel);
}

/// a, b, y: (N,T,H,W,C) but for frames that are repeated. y may be a or b.
template <class T>
__global__ void __launch_bounds__(256) add(const T* a, const T* b, T* y, Vectors<T> vectors, AddShape shape) {
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    std::uint32_t only_pixel = pixel;
    if (shape.a.one_frame || shape.b.one_frame) {
      const Divisor::Division in_frame = shape.frame.divide(pixel);
      const std::uint32_t view = shape.frames.divide(in_frame.quotient).quotient;
      only_pixel = view * shape.frame.value() + in_frame.remainder;
    }
    const auto left = load_side(a, shape.a, pixel, only_pixel, channel);
    const auto right = load_side(b, shape.b, pixel, only_pixel, channel);
    store_vector(y + pixel * vectors.stride + channel,
                 map(left, [&](float value, int e) { return value + to_float(right[e]); }));
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Add& op, const Signature& s) {
  const ActivationLayout a = activation_layout(op.name, s.inputs[0]),
                         b = activation_layout(op.name, s.inputs[1]),
                         y = activation_layout(op.name, s.outputs[0]);
  const AddShape shape{{a.stride, a.t < y.t}, {b.stride, b.t < y.t}, divisor(y.frame_pixels()), divisor(y.t)};
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{
        .implementation = "vectors",
        .work = {.bytes = a.bytes(sizeof(T)) + b.bytes(sizeof(T)) + y.bytes(sizeof(T))},
        .in_place_input = !shape.a.one_frame && a.stride == y.stride   ? 0
                          : !shape.b.one_frame && b.stride == y.stride ? 1
                                                                       : -1};
    return launch_kernel(
        description, [shape, vectors = Vectors<T>(y)](auto in, auto out, cudaStream_t stream) {
          launch("add", add<T>, one_thread_each(vectors.count), stream, aligned_elements<T>(in[0]),
                 aligned_elements<T>(in[1]), aligned_elements<T>(out[0]), vectors, shape);
        });
  });
}

}  // namespace tpn::cuda
