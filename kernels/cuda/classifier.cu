// classifier: logits = linear(global_avg_pool(x), weight, bias), in one launch.
//
// A block takes one view and a tile of classes: its threads make the mean of the view in shared memory, each
// for its own vectors of 16 bytes of channels, and then each warp makes one logit after the other, as in
// linear.cu. Every block of a view makes the mean again, which costs reads from the L2 cache (in the networks
// x is (1,8,8,2048): 256 KB a view in bf16) but saves a launch and the way through memory. So tiles are as
// large as leaves two blocks for each multiprocessor, and no smaller than the warps of a block. With 30 views
// of 2048 channels and 400 classes: 7.9 MB of x, 3.3 MB of weights, 24.6 M multiply-adds.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ops/classifier.h"

namespace tpn::cuda {
namespace {

constexpr int classifier_warps = 8;
/// Blocks of a launch to aim at: about two for each multiprocessor of a large device.
constexpr int wanted_blocks = 264;

struct ClassifierShape {
  int views = 0, cells = 0, channels = 0, padded_channels = 0, classes = 0;
  int tile = 0;  ///< classes of a block
  std::int64_t x_stride = 0;
};

/// x: (N, cells, C); weight: (K,C); bias: (K); y: (N,K). Blocks: (tiles of classes, N). Shared memory: C
/// rounded up, f32. Count: elements of C that are read at once of the weight.
template <class T, int Count>
__global__ void __launch_bounds__(warp_size* classifier_warps)
    classifier(const T* x, const float* weight, const float* bias, float* y, ClassifierShape s) {
  constexpr int size = vector_size<T>;
  TPN_DYNAMIC_SHARED(float, mean);
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  const std::int64_t view = blockIdx.y;
  const T* from = x + view * s.cells * s.x_stride;

  for (int c = (warp * warp_size + lane) * size; c < s.padded_channels;
       c += warp_size * classifier_warps * size) {
    float sum[size] = {};
#pragma unroll 4
    for (int cell = 0; cell < s.cells; ++cell) {
      add_to(sum, load_vector<size>(from + cell * s.x_stride + c));
    }
#pragma unroll
    for (int e = 0; e < size; ++e) mean[c + e] = sum[e] / static_cast<float>(s.cells);
  }
  __syncthreads();

  const int first = static_cast<int>(blockIdx.x) * s.tile, end = min(first + s.tile, s.classes);
  for (int k = first + warp; k < end; k += classifier_warps) {
    const float sum =
        warp_dot<Count>(mean, weight + static_cast<std::int64_t>(k) * s.channels, s.channels, lane);
    if (lane == 0) y[view * s.classes + k] = sum + bias[k];
  }
}

/// As above, one thread a logit: the definition.
template <class T>
__global__ void __launch_bounds__(256)
    classifier_plain(const T* x, const float* weight, const float* bias, float* y, ClassifierShape s) {
  const std::int64_t i = blockIdx.x * static_cast<std::int64_t>(blockDim.x) + threadIdx.x;
  if (i >= static_cast<std::int64_t>(s.views) * s.classes) return;
  const std::int64_t view = i / s.classes, k = i % s.classes;
  float logit = bias[k];
  for (int c = 0; c < s.channels; ++c) {
    float sum = 0;
    for (int cell = 0; cell < s.cells; ++cell) sum += to_float(x[(view * s.cells + cell) * s.x_stride + c]);
    logit = fmaf(sum / static_cast<float>(s.cells), weight[k * s.channels + c], logit);
  }
  y[i] = logit;
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> candidates(const ops::Classifier& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]);
  const MatrixLayout weight = matrix_layout(op.name, s.inputs[1]), y = matrix_layout(op.name, s.outputs[0]);
  ClassifierShape shape{x.n, x.t * x.frame_pixels(), x.c, x.padded_channels(), y.columns};
  shape.x_stride = x.stride;
  const auto rounded_up = [](int a, int b) { return (a + b - 1) / b; };
  const int tiles = std::clamp(wanted_blocks / x.n, 1, rounded_up(y.columns, classifier_warps));
  shape.tile = rounded_up(y.columns, tiles);

  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    KernelDescription description{
        .implementation = "mean_and_dots",
        .work = {.bytes = x.bytes(sizeof(T)) + weight.bytes() + y.bytes() + 4 * std::int64_t{y.columns},
                 .multiply_adds = std::int64_t{y.rows} * y.columns * x.c}};
    LaunchShape blocks;
    blocks.grid = dim3(static_cast<unsigned>(rounded_up(y.columns, shape.tile)), static_cast<unsigned>(x.n));
    blocks.block = dim3(warp_size, classifier_warps);
    blocks.shared_bytes = static_cast<std::size_t>(x.padded_channels()) * sizeof(float);
    std::vector<std::unique_ptr<Kernel>> kernels;
    kernels.push_back(launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
      launch("classifier", shape.channels % 4 == 0 ? classifier<T, 4> : classifier<T, 1>, blocks, stream,
             aligned_elements<T>(in[0]), aligned_elements<float>(in[1]), aligned_elements<float>(in[2]),
             aligned_elements<float>(out[0]), shape);
    }));
    description.implementation = "plain";
    LaunchShape threads;
    threads.grid = dim3(static_cast<unsigned>((std::int64_t{y.rows} * y.columns + 255) / 256));
    threads.block = dim3(256);
    kernels.push_back(launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
      launch("classifier_plain", classifier_plain<T>, threads, stream, aligned_elements<T>(in[0]),
             aligned_elements<float>(in[1]), aligned_elements<float>(in[2]), aligned_elements<float>(out[0]),
             shape);
    }));
    return kernels;
  });
}

std::unique_ptr<Kernel> compile(const ops::Classifier& op, const Signature& s) {
  return std::move(candidates(op, s).front());
}

}  // namespace tpn::cuda
