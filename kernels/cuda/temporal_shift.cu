// temporal_shift: channels [0, fold) take the value of the next frame, [fold, 2 fold) that of the previous
// one, zero past the ends; the others stay. Its gradient is the shift the other way round.
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
  int first = 1;  ///< how many frames further channels [0, fold) come from: 1 or -1; the next as far back
  std::int64_t x_stride = 0;
};

/// The vector at `at`, of the frame of that number plus `frames`; zeros where there is none.
template <class T>
__device__ __forceinline__ Vector<T, vector_size<T>> from_frame(const T* at, int frame, int frames,
                                                                const ShiftShape& s) {
  const int source = frame + frames;
  if (source < 0 || source >= static_cast<int>(s.frames.value())) return {};
  return load_vector<vector_size<T>>(at + frames * static_cast<std::int64_t>(s.frame.value()) * s.x_stride);
}

/// x, y: (N,T,H,W,C), different memory.
template <class T>
__global__ void __launch_bounds__(256) temporal_shift(const T* x, T* y, Vectors<T> vectors, ShiftShape s) {
  constexpr int size = vector_size<T>;
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const int frame = static_cast<int>(s.frames.divide(s.frame.divide(pixel).quotient).remainder);
    const T* at = x + pixel * s.x_stride + channel;

    Vector<T, size> value{};
    if (channel + size > 2 * s.fold) value = load_vector<size>(at);
    if (channel < s.fold) {
      const auto other = from_frame(at, frame, s.first, s);
#pragma unroll
      for (int e = 0; e < size; ++e) {
        if (channel + e < s.fold) value[e] = other[e];
      }
    }
    if (channel + size > s.fold && channel < 2 * s.fold) {
      const auto other = from_frame(at, frame, -s.first, s);
#pragma unroll
      for (int e = 0; e < size; ++e) {
        if (channel + e >= s.fold && channel + e < 2 * s.fold) value[e] = other[e];
      }
    }
    store_vector(y + pixel * vectors.stride + channel, value);
  });
}

std::unique_ptr<Kernel> compile_shift(std::string_view name, std::int64_t fold, int first,
                                      const Signature& s) {
  const ActivationLayout x = activation_layout(name, s.inputs[0]), y = activation_layout(name, s.outputs[0]);
  const ShiftShape shape{divisor(x.frame_pixels()), divisor(x.t), static_cast<int>(fold), first, x.stride};
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

}  // namespace

std::unique_ptr<Kernel> compile(const ops::TemporalShift& op, const Signature& s) {
  return compile_shift(op.name, op.fold, 1, s);
}

std::unique_ptr<Kernel> compile(const ops::TemporalShiftGradient& op, const Signature& s) {
  return compile_shift(op.name, op.fold, -1, s);
}

}  // namespace tpn::cuda
