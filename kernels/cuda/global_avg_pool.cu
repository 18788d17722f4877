// global_avg_pool: the mean over frames and pixels, one value a channel.
//
// A block takes one view and 32 vectors of 16 bytes of channels: a warp reads a cell's 32 vectors at once,
// the 8 warps share the cells, and their sums meet in shared memory. Bytes: x once. Sums are in f32.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ops/global_avg_pool.h"

namespace tpn::cuda {
namespace {

constexpr int pool_warps = 8;

/// x: (N, cells, C), blocks: (ceil(C / 32 vectors), N); y: (N,C) dense.
template <class T>
__global__ void __launch_bounds__(warp_size* pool_warps)
    global_avg_pool(const T* x, float* y, int cells, int channels, int padded_channels,
                    std::int64_t x_stride) {
  constexpr int size = vector_size<T>, width = warp_size * size;
  TPN_SHARED(float, sums, pool_warps* width);
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  const int first = static_cast<int>(blockIdx.x) * width;
  const int channel = first + lane * size;
  const std::int64_t view = blockIdx.y;

  float sum[size] = {};
  if (channel < padded_channels) {
    for (int cell = warp; cell < cells; cell += pool_warps) {
      add_to(sum, load_vector<size>(x + (view * cells + cell) * x_stride + channel));
    }
  }
#pragma unroll
  for (int e = 0; e < size; ++e) sums[warp * width + lane * size + e] = sum[e];
  __syncthreads();

  for (int c = warp * warp_size + lane; c < width && first + c < channels; c += pool_warps * warp_size) {
    float total = 0;
#pragma unroll
    for (int w = 0; w < pool_warps; ++w) total += sums[w * width + c];
    y[view * channels + first + c] = total / static_cast<float>(cells);
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::GlobalAvgPool& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]);
  const MatrixLayout y = matrix_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    constexpr int width = warp_size * vector_size<T>;
    LaunchShape shape;
    shape.grid = dim3(static_cast<unsigned>((x.c + width - 1) / width), static_cast<unsigned>(x.n));
    shape.block = dim3(warp_size, pool_warps);
    const KernelDescription description{.implementation = "blocks",
                                        .work = {.bytes = x.bytes(sizeof(T)) + y.bytes()}};
    return launch_kernel(description, [x, shape](auto in, auto out, cudaStream_t stream) {
      launch("global_avg_pool", global_avg_pool<T>, shape, stream, aligned_elements<T>(in[0]),
             aligned_elements<float>(out[0]), x.t * x.frame_pixels(), x.c, x.padded_channels(), x.stride);
    });
  });
}

}  // namespace tpn::cuda
