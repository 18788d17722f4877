// upsample: y[t,h,w] = x[t/st, h/sh, w/sw], nearest neighbours.
//
// One thread per 16 bytes of y. x is read once from memory and again from the cache; y's bytes dominate.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/upsample.h"

namespace tpn::cuda {
namespace {

struct UpsampleShape {
  Divisor frames, rows, columns;  ///< T', H', W' of y
  Divisor frame_scale, row_scale, column_scale;
  std::uint32_t in_frames = 0, in_rows = 0, in_columns = 0;
  std::int64_t x_stride = 0;
};

/// x: (N,T,H,W,C), y: (N, T st, H sh, W sw, C).
template <class T>
__global__ void __launch_bounds__(256) upsample(const T* x, T* y, Vectors<T> vectors, UpsampleShape s) {
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto [row_index, column] = s.columns.divide(pixel);
    const auto [frame_index, row] = s.rows.divide(row_index);
    const auto [view, frame] = s.frames.divide(frame_index);
    const std::uint32_t in_frame = view * s.in_frames + s.frame_scale.divide(frame).quotient,
                        in_row = in_frame * s.in_rows + s.row_scale.divide(row).quotient,
                        in_pixel = in_row * s.in_columns + s.column_scale.divide(column).quotient;
    store_vector(y + pixel * vectors.stride + channel,
                 load_vector<vector_size<T>>(x + in_pixel * s.x_stride + channel));
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Upsample& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  const UpsampleShape shape{divisor(y.t),
                            divisor(y.h),
                            divisor(y.w),
                            divisor(op.scale[0]),
                            divisor(op.scale[1]),
                            divisor(op.scale[2]),
                            static_cast<std::uint32_t>(x.t),
                            static_cast<std::uint32_t>(x.h),
                            static_cast<std::uint32_t>(x.w),
                            x.stride};
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{.implementation = "vectors",
                                        .work = {.bytes = x.bytes(sizeof(T)) + y.bytes(sizeof(T))}};
    return launch_kernel(description,
                         [shape, vectors = Vectors<T>(y)](auto in, auto out, cudaStream_t stream) {
                           launch("upsample", upsample<T>, one_thread_each(vectors.count), stream,
                                  aligned_elements<T>(in[0]), aligned_elements<T>(out[0]), vectors, shape);
                         });
  });
}

}  // namespace tpn::cuda
