// gradient_norm and sgd: one pass over all gradients, one over all parameters, whatever their number.
//
// gradient_norm  Each block sums the squares of a part of one gradient and leaves the sum in scratch memory;
//                one block adds these up in order. Squares are made in double, so that neither their range
//                nor their number matters; that takes less time than reading the gradients (4 bytes each).
// sgd            reads a parameter, its gradient and its momentum and writes two of them: 20 bytes an
// element.
//                Learning rate, loss scale and norm are read on the device.
#include <algorithm>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/operand_layout.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/tensor_list.cuh"
#include "kernels/ops/sgd.h"

namespace tpn::cuda {
namespace {

constexpr int list_threads = 256;
constexpr int norm_part = 16384, update_part = 4096;  ///< elements of a block
constexpr int sum_threads = 1024;

struct GradientEntry {
  const float* gradient;
};

/// The sum over the threads of a block of Warps warps, for thread 0.
template <int Warps>
__device__ __forceinline__ double block_sum(double value) {
  TPN_SHARED(double, of_warps, Warps);
  const int lane = static_cast<int>(threadIdx.x) % warp_size,
            warp = static_cast<int>(threadIdx.x) / warp_size;
  value = warp_sum(value);
  if (lane == 0) of_warps[warp] = value;
  __syncthreads();
  return warp == 0 ? warp_sum(lane < Warps ? of_warps[lane] : 0.0) : 0.0;
}

__device__ __forceinline__ double square(float value) {
  return static_cast<double>(value) * static_cast<double>(value);
}

/// sums: one for each block.
__global__ void __launch_bounds__(list_threads)
    sums_of_squares(const __grid_constant__ TensorList<GradientEntry> list, double* sums) {
  const auto part = list.part(blockIdx.x, norm_part);
  const float* gradient = part.tensor.gradient;
  double sum = 0;
  for_each_vector<list_threads, 4>(part, [&](auto count, std::int64_t i) {
    const auto value = load_vector<decltype(count)::value>(gradient + i);
    double of_vector = square(value[0]);
#pragma unroll
    for (int e = 1; e < decltype(count)::value; ++e) of_vector += square(value[e]);
    sum += of_vector;
  });
  sum = block_sum<list_threads / warp_size>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/// norm = sqrt(sum of sums) / loss scale. One block.
__global__ void __launch_bounds__(sum_threads)
    norm_of_sums(const double* sums, int count, const float* loss_scale, float* norm) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += sum_threads) sum += sums[i];
  sum = block_sum<sum_threads / warp_size>(sum);
  if (threadIdx.x == 0) *norm = static_cast<float>(sqrt(sum) / static_cast<double>(*loss_scale));
}

struct ParameterEntry {
  const float *old_parameter, *gradient, *old_momentum;
  float *parameter, *momentum;  ///< may be the old ones
};

/// The numbers of an update, on the device.
struct StepNumbers {
  const float *rate, *loss_scale, *norm;
};

struct Hyperparameters {
  float momentum, weight_decay, max_norm;
  bool nesterov;
};

/// What is the same for every element of a step.
struct Update {
  bool learns;  ///< false: nothing changes
  float rate, gradient_factor;
  Hyperparameters hyper;

  __device__ __forceinline__ Update(const StepNumbers& numbers, const Hyperparameters& parameters)
      : rate(*numbers.rate), hyper(parameters) {
    const float norm = *numbers.norm;
    learns = fabsf(norm) < INFINITY;  // not NaN either
    const float clip = hyper.max_norm > 0 ? fminf(1.0F, hyper.max_norm / (norm + 1e-6F)) : 1.0F;
    gradient_factor = clip / *numbers.loss_scale;
  }

  __device__ __forceinline__ void operator()(float gradient, float& parameter, float& momentum) const {
    const float d = fmaf(gradient, gradient_factor, hyper.weight_decay * parameter);
    momentum = fmaf(hyper.momentum, momentum, d);
    parameter -= rate * (hyper.nesterov ? fmaf(hyper.momentum, momentum, d) : momentum);
  }
};

/// Updates Count elements at i.
template <int Count>
__device__ __forceinline__ void update_at(const Update& update, const ParameterEntry& entry, std::int64_t i) {
  auto parameter = load_vector<Count>(entry.old_parameter + i),
       momentum = load_vector<Count>(entry.old_momentum + i);
  if (update.learns) {
    const auto gradient = load_vector<Count>(entry.gradient + i);
#pragma unroll
    for (int e = 0; e < Count; ++e) update(gradient[e], parameter[e], momentum[e]);
  }
  store_vector(entry.parameter + i, parameter);
  store_vector(entry.momentum + i, momentum);
}

__global__ void __launch_bounds__(list_threads)
    sgd(const __grid_constant__ TensorList<ParameterEntry> list, StepNumbers numbers, Hyperparameters hyper) {
  const Update update(numbers, hyper);
  const auto part = list.part(blockIdx.x, update_part);
  for_each_vector<list_threads, 2>(
      part, [&](auto count, std::int64_t i) { update_at<decltype(count)::value>(update, part.tensor, i); });
}

std::int64_t bytes_of(const Operand& operand) {
  return operand.shape.count() * static_cast<std::int64_t>(size_of(operand.dtype));
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::GradientNorm&, const Signature& s) {
  KernelDescription description{.implementation = "two_stages", .work = {}};
  std::int64_t blocks = 0;
  for (const Operand& gradient : s.inputs.subspan(1)) {
    description.work.bytes += bytes_of(gradient);
    blocks += (gradient.shape.count() + norm_part - 1) / norm_part;
  }
  description.scratch_bytes = static_cast<std::size_t>(blocks) * sizeof(double);
  return launch_kernel(
      description, [blocks](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                            std::byte* scratch, cudaStream_t stream) {
        std::vector<ListedTensor<GradientEntry>> gradients;
        for (const ConstTensorView& gradient : in.subspan(1)) {
          gradients.push_back({{aligned_elements<float>(gradient)}, gradient.shape.count()});
        }
        auto* sums = reinterpret_cast<double*>(scratch);
        for_each_list<GradientEntry>(gradients, norm_part,
                                     [&](const TensorList<GradientEntry>& list, std::uint32_t list_blocks) {
                                       launch("sums_of_squares", sums_of_squares,
                                              {dim3(list_blocks), dim3(list_threads)}, stream, list, sums);
                                       sums += list_blocks;
                                     });
        launch("norm_of_sums", norm_of_sums, {dim3(1), dim3(sum_threads)}, stream,
               reinterpret_cast<const double*>(scratch), static_cast<int>(blocks),
               aligned_elements<float>(in[0]), aligned_elements<float>(out[0]));
      });
}

std::unique_ptr<Kernel> compile(const ops::Sgd& op, const Signature& s) {
  KernelDescription description{.implementation = "lists", .work = {}};
  for (std::size_t i = 3; i < s.inputs.size(); ++i) description.work.bytes += bytes_of(s.inputs[i]);
  for (const Operand& updated : s.outputs) description.work.bytes += bytes_of(updated);
  const Hyperparameters hyper{static_cast<float>(op.momentum), static_cast<float>(op.weight_decay),
                              static_cast<float>(op.max_norm), op.nesterov};
  return launch_kernel(description, [hyper](auto in, auto out, cudaStream_t stream) {
    std::vector<ListedTensor<ParameterEntry>> parameters;
    for (std::size_t i = 0; 3 * i + 3 < in.size(); ++i) {
      parameters.push_back({{aligned_elements<float>(in[3 * i + 3]), aligned_elements<float>(in[3 * i + 4]),
                             aligned_elements<float>(in[3 * i + 5]), aligned_elements<float>(out[2 * i]),
                             aligned_elements<float>(out[2 * i + 1])},
                            in[3 * i + 3].shape.count()});
    }
    const StepNumbers numbers{aligned_elements<float>(in[0]), aligned_elements<float>(in[1]),
                              aligned_elements<float>(in[2])};
    for_each_list<ParameterEntry>(
        parameters, update_part, [&](const TensorList<ParameterEntry>& list, std::uint32_t blocks) {
          launch("sgd", sgd, {dim3(blocks), dim3(list_threads)}, stream, list, numbers, hyper);
        });
  });
}

}  // namespace tpn::cuda
