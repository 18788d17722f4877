// view_scores: the mean over each video's views of softmax(logits), or of the logits.
//
// A block takes a video: its warps find the maximum and the sum of each view, and then each thread makes the
// mean for its classes. Tens of views of hundreds of classes: only the launch counts, and it is the only one
// between the logits and the scores.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ops/view_scores.h"

namespace tpn::cuda {
namespace {

constexpr int scores_warps = 8;

/// logits: (videos * views, K), y: (videos, K), dense. A block for each video. Shared memory: SoftmaxTerms of
/// each view.
__global__ void __launch_bounds__(warp_size* scores_warps, 4)
    mean_of_softmax(const float* logits, float* y, int views, int classes) {
  TPN_DYNAMIC_SHARED(SoftmaxTerms, terms);
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  const std::int64_t video = blockIdx.x;
  const float* x = logits + video * views * classes;
  for (int view = warp; view < views; view += scores_warps) {
    const SoftmaxTerms found = softmax_terms(x + static_cast<std::int64_t>(view) * classes, classes, lane);
    if (lane == 0) terms[view] = found;
  }
  __syncthreads();
  for (int k = warp * warp_size + lane; k < classes; k += warp_size * scores_warps) {
    float sum = 0;
    for (int view = 0; view < views; ++view) {
      sum += expf(x[static_cast<std::int64_t>(view) * classes + k] - terms[view].top) / terms[view].sum;
    }
    y[video * classes + k] = sum / static_cast<float>(views);
  }
}

/// As above, of the logits themselves.
__global__ void __launch_bounds__(warp_size* scores_warps)
    mean_of_logits(const float* logits, float* y, int views, int classes) {
  const std::int64_t video = blockIdx.x;
  const float* x = logits + video * views * classes;
  const int thread = static_cast<int>(threadIdx.y * warp_size + threadIdx.x);
  for (int k = thread; k < classes; k += warp_size * scores_warps) {
    float sum = 0;
    for (int view = 0; view < views; ++view) sum += x[static_cast<std::int64_t>(view) * classes + k];
    y[video * classes + k] = sum / static_cast<float>(views);
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::ViewScores& op, const Signature& s) {
  const MatrixLayout x = matrix_layout(op.name, s.inputs[0]), y = matrix_layout(op.name, s.outputs[0]);
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>(y.rows));
  shape.block = dim3(warp_size, scores_warps);
  if (op.softmax) shape.shared_bytes = static_cast<std::size_t>(op.views) * sizeof(SoftmaxTerms);
  const KernelDescription description{.implementation = "block_per_video",
                                      .work = {.bytes = x.bytes() + y.bytes()}};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("view_scores", op.softmax ? mean_of_softmax : mean_of_logits, shape, stream,
           aligned_elements<float>(in[0]), aligned_elements<float>(out[0]), static_cast<int>(op.views),
           y.columns);
  });
}

}  // namespace tpn::cuda
