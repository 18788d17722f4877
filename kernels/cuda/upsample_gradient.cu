// Gradients of copies, upsample_gradient and sum_over_frames: what one cell was copied to is added up, in f32
// and rounded once.
//
// One thread per 16 bytes of dx, which reads its st x sh x sw block of dy. Bytes: dy and dx once.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/add.h"
#include "kernels/ops/upsample.h"

namespace tpn::cuda {
namespace {

struct BlockShape {
  Divisor rows, columns;                      ///< H, W of dx
  int scale_t = 1, scale_h = 1, scale_w = 1;  ///< cells of dy in a block
  /// Elements of dy from a frame, row and pixel to the next.
  std::int64_t frame_stride = 0, row_stride = 0, pixel_stride = 0;
};

/// dy: (N, T st, H sh, W sw, C), dx: (N,T,H,W,C).
template <class T>
__global__ void __launch_bounds__(256) sum_of_blocks(const T* dy, T* dx, Vectors<T> vectors, BlockShape s) {
  constexpr int size = vector_size<T>;
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto [row_index, column] = s.columns.divide(pixel);
    const auto [frame, row] = s.rows.divide(row_index);  // frame: of all views
    const T* block = dy + frame * (s.scale_t * s.frame_stride) + row * (s.scale_h * s.row_stride) +
                     column * (s.scale_w * s.pixel_stride) + channel;
    float sum[size] = {};
    for (int a = 0; a < s.scale_t; ++a) {
      for (int b = 0; b < s.scale_h; ++b) {
        const T* cell = block + a * s.frame_stride + b * s.row_stride;
        for (int c = 0; c < s.scale_w; ++c) add_to(sum, load_vector<size>(cell + c * s.pixel_stride));
      }
    }
    store_vector(dx + pixel * vectors.stride + channel, rounded<T>(sum));
  });
}

std::unique_ptr<Kernel> compile_blocks(std::string_view name, const ops::Extent3& scale, const Signature& s) {
  const ActivationLayout dy = activation_layout(name, s.inputs[0]),
                         dx = activation_layout(name, s.outputs[0]);
  const BlockShape shape{divisor(dx.h),
                         divisor(dx.w),
                         static_cast<int>(scale[0]),
                         static_cast<int>(scale[1]),
                         static_cast<int>(scale[2]),
                         dy.frame_pixels() * dy.stride,
                         dy.w * dy.stride,
                         dy.stride};
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const KernelDescription description{.implementation = "vectors",
                                        .work = {.bytes = dy.bytes(sizeof(T)) + dx.bytes(sizeof(T))}};
    return launch_kernel(description,
                         [shape, vectors = Vectors<T>(dx)](auto in, auto out, cudaStream_t stream) {
                           launch("sum_of_blocks", sum_of_blocks<T>, one_thread_each(vectors.count), stream,
                                  aligned_elements<T>(in[0]), aligned_elements<T>(out[0]), vectors, shape);
                         });
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::UpsampleGradient& op, const Signature& s) {
  return compile_blocks(op.name, op.scale, s);
}

std::unique_ptr<Kernel> compile(const ops::SumOverFrames& op, const Signature& s) {
  return compile_blocks(op.name, {s.inputs[0].shape[1], 1, 1}, s);
}

}  // namespace tpn::cuda
