// Random activations and comparisons for trials of kernels. Neither is worth vector accesses: they take a
// small part of a trial.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/trial_kernels.h"

namespace tpn::cuda {
namespace {

constexpr int threads = 256;
constexpr std::int64_t most_blocks = 1024;

/// Sizes of a TrialTensor.
struct TrialSizes {
  std::int64_t elements, stride, channels, padded;
  std::int64_t period;  ///< pixels
};

TrialSizes sizes_of(const TrialTensor& x, std::int64_t period) {
  return {x.pixels * x.stride, x.stride, x.channels, x.padded(), period};
}

unsigned blocks_for(std::int64_t elements) {
  return static_cast<unsigned>(std::clamp((elements + threads - 1) / threads, std::int64_t{1}, most_blocks));
}

/// Uniform in [0, 1), the same for the same number and seed: a mixing of bits by multiplications.
__device__ __forceinline__ float random_unit(std::uint64_t number, std::uint32_t seed) {
  number += static_cast<std::uint64_t>(seed) << 40;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
  return static_cast<float>(static_cast<std::uint32_t>(number >> 40)) * 0x1p-24F;
}

/// x: (pixels, stride), uniform in [-sqrt(3), sqrt(3)]. A thread writes every gridDim * blockDim-th element.
template <class T>
__global__ void __launch_bounds__(threads) fill(T* x, TrialSizes s, std::uint32_t seed) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < s.elements;
       i += step) {
    const std::int64_t pixel = i / s.stride, channel = i % s.stride;
    float value = 0;
    if (channel < s.channels) {
      const auto number = static_cast<std::uint64_t>(pixel % s.period * s.channels + channel);
      value = 1.7320508F * (2 * random_unit(number, seed) - 1);
    } else if (channel >= s.padded) {
      value = nanf("");
    }
    x[i] = from_float<T>(value);
  }
}

/// x: (count).
__global__ void __launch_bounds__(threads)
    fill_parameter(float* x, std::int64_t count, float low, float high, std::uint32_t seed) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += step) {
    x[i] = low + (high - low) * random_unit(static_cast<std::uint64_t>(i), seed);
  }
}

/// Whether all bits are ones, as fill_nan() leaves them.
__device__ __forceinline__ bool untouched(float value) {
  return __float_as_uint(value) == 0xffffffffU;
}
__device__ __forceinline__ bool untouched(F16 value) {
  return value.bits == 0xffffU;
}
__device__ __forceinline__ bool untouched(Bf16 value) {
  return value.bits == 0xffffU;
}

/// The sums of a block.
struct TrialSums {
  float difference;  ///< of squares of differences
  float reference;   ///< of squares
  float strays;
};

/// y: (pixels, stride), reference: (period, reference_stride); sums: one for each block.
template <class T>
__global__ void __launch_bounds__(threads) compare_elements(const T* y, TrialSizes s, const T* reference,
                                                            std::int64_t reference_stride, TrialSums* sums) {
  TPN_SHARED(TrialSums, of_warps, threads / warp_size);
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  TrialSums mine{0, 0, 0};
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < s.elements;
       i += step) {
    const std::int64_t pixel = i / s.stride, channel = i % s.stride;
    if (channel < s.channels) {
      const float expected = to_float(reference[pixel % s.period * reference_stride + channel]);
      const float difference = to_float(y[i]) - expected;
      mine.difference = fmaf(difference, difference, mine.difference);
      mine.reference = fmaf(expected, expected, mine.reference);
    } else {
      const bool right = channel < s.padded ? to_float(y[i]) == 0 : untouched(y[i]);
      mine.strays += right ? 0.0F : 1.0F;
    }
  }
  mine = {warp_sum(mine.difference), warp_sum(mine.reference), warp_sum(mine.strays)};
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  if (static_cast<int>(threadIdx.x) % warp_size == 0) of_warps[warp] = mine;
  __syncthreads();
  if (threadIdx.x == 0) {
    TrialSums all{0, 0, 0};
    for (int i = 0; i < threads / warp_size; ++i) {
      all.difference += of_warps[i].difference;
      all.reference += of_warps[i].reference;
      all.strays += of_warps[i].strays;
    }
    sums[blockIdx.x] = all;
  }
}

}  // namespace

void fill_random(const TrialTensor& x, std::int64_t period, std::uint32_t seed, Stream& stream) {
  const TrialSizes sizes = sizes_of(x, period);
  with_element_type(x.dtype, [&]<class T>(T) {
    launch("fill", fill<T>, {.grid = dim3(blocks_for(sizes.elements)), .block = dim3(threads)},
           stream_of(stream), reinterpret_cast<T*>(x.data), sizes, seed);
  });
}

void fill_random(float* x, std::int64_t count, float low, float high, std::uint32_t seed, Stream& stream) {
  launch("fill_parameter", fill_parameter, {.grid = dim3(blocks_for(count)), .block = dim3(threads)},
         stream_of(stream), x, count, low, high, seed);
}

void fill_nan(const TrialTensor& x, Stream& stream) {
  check(cudaMemsetAsync(x.data, 0xff, x.bytes(), stream_of(stream)), "clearing memory");
}

Comparison compare(const TrialTensor& y, const TrialTensor& reference, Stream& stream) {
  const TrialSizes sizes = sizes_of(y, reference.pixels);
  const unsigned blocks = blocks_for(sizes.elements);
  const Buffer device = allocate_device(blocks * sizeof(TrialSums));
  with_element_type(y.dtype, [&]<class T>(T) {
    launch("compare", compare_elements<T>, {.grid = dim3(blocks), .block = dim3(threads)}, stream_of(stream),
           reinterpret_cast<const T*>(y.data), sizes, reinterpret_cast<const T*>(reference.data),
           reference.stride, reinterpret_cast<TrialSums*>(device.data()));
  });
  const Buffer staging = allocate_pinned(device.bytes());
  stream.download(staging.data(), device.data(), device.bytes());
  stream.synchronize();
  double difference = 0, norm = 0;
  Comparison result;
  for (unsigned i = 0; i < blocks; ++i) {
    const TrialSums& sums = reinterpret_cast<const TrialSums*>(staging.data())[i];
    difference += sums.difference;
    norm += sums.reference;
    result.strays += static_cast<std::int64_t>(sums.strays);
  }
  result.relative_error = std::sqrt(norm > 0 ? difference / norm : difference);
  return result;
}

}  // namespace tpn::cuda
