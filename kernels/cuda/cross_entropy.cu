// cross_entropy and its gradient, in f32 with sums over the batch in double.
//
// A warp takes a row and reads it from the cache after the first time. Rows are few (a batch) and short
// (hundreds of classes): only the launch counts. Every sum is made in a fixed order. A kernel cannot refuse
// a label that is no class: the loss is then NaN, and so are the gradients, by which nothing is learned.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ops/cross_entropy.h"

namespace tpn::cuda {
namespace {

constexpr int loss_warps = 16;

struct LossShape {
  int rows = 0, classes = 0;
  float label_share = 1;   ///< of the target that the label has to itself: 1 - smoothing
  float spread_share = 0;  ///< of the target that every class has: smoothing / K
  float weight = 1;
};

/// labels: (N); class_weights: (K), or null for ones.
struct LossTargets {
  const std::int64_t* labels;
  const float* class_weights;

  __device__ __forceinline__ float class_weight(std::int64_t k) const {
    return class_weights != nullptr ? class_weights[k] : 1.0F;
  }
  /// Of class k in the row of that label, times the class's weight.
  __device__ __forceinline__ float target(std::int64_t label, int k, const LossShape& s) const {
    return (s.spread_share + (k == label ? s.label_share : 0.0F)) * class_weight(k);
  }
  /// The sum of the labels' class weights, which losses are divided by, for the whole warp; NaN when a label
  /// is no class.
  __device__ __forceinline__ double total(const LossShape& s, int lane) const {
    double sum = 0;
    for (int n = lane; n < s.rows; n += warp_size) {
      const std::int64_t label = labels[n];
      sum += label >= 0 && label < s.classes ? class_weight(label) : NAN;
    }
    return warp_sum(sum);
  }
};

/// logits: (N,K) dense, y: (). One block.
__global__ void __launch_bounds__(warp_size* loss_warps)
    cross_entropy(const float* logits, LossTargets targets, float* y, LossShape s) {
  TPN_SHARED(double, losses, loss_warps);
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  double loss = 0;  // of the warp's rows, the lane's classes
  for (int n = warp; n < s.rows; n += loss_warps) {
    const float* x = logits + static_cast<std::int64_t>(n) * s.classes;
    const SoftmaxTerms terms = softmax_terms(x, s.classes, lane);
    const float log_sum = logf(terms.sum);
    for (int k = lane; k < s.classes; k += warp_size) {
      const float share = targets.target(targets.labels[n], k, s);
      if (share != 0) loss -= static_cast<double>(share * (x[k] - terms.top - log_sum));
    }
  }
  loss = warp_sum(loss);
  if (lane == 0) losses[warp] = loss;
  __syncthreads();
  if (warp != 0) return;
  const double total = targets.total(s, lane), sum = warp_sum(lane < loss_warps ? losses[lane] : 0.0);
  if (lane == 0) *y = static_cast<float>(static_cast<double>(s.weight) * sum / total);
}

/// logits, dlogits: (N,K) dense; dloss: (). A block of one warp for each row.
__global__ void __launch_bounds__(warp_size)
    cross_entropy_gradient(const float* logits, LossTargets targets, const float* dloss, float* dlogits,
                           LossShape s) {
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * s.classes;
  const std::int64_t label = targets.labels[blockIdx.x];
  const SoftmaxTerms terms = softmax_terms(logits + row, s.classes, lane);
  const auto factor = static_cast<float>(static_cast<double>(*dloss * s.weight) / targets.total(s, lane));
  float target_sum = 0;
  for (int k = lane; k < s.classes; k += warp_size) target_sum += targets.target(label, k, s);
  target_sum = warp_sum(target_sum);
  for (int k = lane; k < s.classes; k += warp_size) {
    const float probability = expf(logits[row + k] - terms.top) / terms.sum;
    dlogits[row + k] = factor * (probability * target_sum - targets.target(label, k, s));
  }
}

LossShape loss_shape(const ops::CrossEntropy& op, const MatrixLayout& logits) {
  return {logits.rows, logits.columns, static_cast<float>(1 - op.label_smoothing),
          static_cast<float>(op.label_smoothing / logits.columns), static_cast<float>(op.weight)};
}

LossTargets loss_targets(std::span<const ConstTensorView> in, bool weighted) {
  return {aligned_elements<std::int64_t>(in[1]), weighted ? aligned_elements<float>(in[2]) : nullptr};
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::CrossEntropy& op, const Signature& s) {
  const MatrixLayout logits = matrix_layout(op.name, s.inputs[0]);
  LaunchShape shape;
  shape.grid = dim3(1);
  shape.block = dim3(warp_size, loss_warps);
  const KernelDescription description{.implementation = "one_block", .work = {.bytes = logits.bytes()}};
  return launch_kernel(description, [=, loss = loss_shape(op, logits), weighted = s.inputs.size() == 3](
                                        auto in, auto out, cudaStream_t stream) {
    launch("cross_entropy", cross_entropy, shape, stream, aligned_elements<float>(in[0]),
           loss_targets(in, weighted), aligned_elements<float>(out[0]), loss);
  });
}

std::unique_ptr<Kernel> compile(const ops::CrossEntropyGradient& op, const Signature& s) {
  const MatrixLayout logits = matrix_layout(op.name, s.inputs[0]);
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>(logits.rows));
  shape.block = dim3(warp_size);
  const KernelDescription description{.implementation = "warp_per_row",
                                      .work = {.bytes = 2 * logits.bytes()}};
  return launch_kernel(description, [=, loss = loss_shape(op.loss, logits), weighted = s.inputs.size() == 4](
                                        auto in, auto out, cudaStream_t stream) {
    launch("cross_entropy_gradient", cross_entropy_gradient, shape, stream, aligned_elements<float>(in[0]),
           loss_targets(in, weighted), aligned_elements<float>(in.back()), aligned_elements<float>(out[0]),
           loss);
  });
}

}  // namespace tpn::cuda
