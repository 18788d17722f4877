// What kernels share that compute each vector of channels of the output on its own.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/operand_layout.h"

namespace tpn::cuda {

/// Calls body(i) for this thread's share of the indices [0, count), count < 2^31. Neighbours in a warp get
/// neighbouring indices.
template <class Body>
__device__ __forceinline__ void for_each_index(std::uint32_t count, const Body& body) {
  const std::uint32_t step = gridDim.x * blockDim.x;
  for (std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) body(i);
}

/// The 16-byte vectors of T of an activation tensor, counted in memory order.
template <class T>
struct Vectors {
  static constexpr int size = vector_size<T>;

  std::uint32_t count = 0;
  Divisor per_pixel;
  std::int64_t stride = 0;  ///< elements from a pixel to the next

  explicit Vectors(const ActivationLayout& layout)
      : count(static_cast<std::uint32_t>(layout.pixels() * (layout.padded_channels() / size))),
        per_pixel(static_cast<std::uint32_t>(layout.padded_channels() / size)),
        stride(layout.stride) {}

  struct Place {
    std::uint32_t pixel;
    int channel;  ///< the first of the vector
  };
  [[nodiscard]] __device__ __forceinline__ Place place(std::uint32_t i) const {
    const Divisor::Division d = per_pixel.divide(i);
    return {d.quotient, static_cast<int>(d.remainder) * size};
  }
};

/// Count f32 values at `from`, which is aligned to 16 bytes. Count: a multiple of 4.
template <int Count>
struct Floats {
  Vector<float, 4> part[Count / 4];

  __device__ __forceinline__ explicit Floats(const float* from) {
#pragma unroll
    for (int i = 0; i < Count / 4; ++i) part[i] = load_vector<4>(from + 4 * i);
  }
  __device__ __forceinline__ float operator[](int i) const {
    return part[i / 4][i % 4];  // a register: i is known once loops are unrolled
  }
};

/// y[i] = f(x[i], i) for one vector, in f32.
template <class T, int Count, class Function>
__device__ __forceinline__ Vector<T, Count> map(const Vector<T, Count>& x, const Function& f) {
  Vector<T, Count> y;
#pragma unroll
  for (int i = 0; i < Count; ++i) y[i] = from_float<T>(f(to_float(x[i]), i));
  return y;
}

/// sum += x, element by element.
template <class T, int Count>
__device__ __forceinline__ void add_to(float (&sum)[Count], const Vector<T, Count>& x) {
#pragma unroll
  for (int e = 0; e < Count; ++e) sum[e] += to_float(x[e]);
}

template <class T, int Count>
__device__ __forceinline__ Vector<T, Count> rounded(const float (&values)[Count]) {
  Vector<T, Count> result;
#pragma unroll
  for (int e = 0; e < Count; ++e) result[e] = from_float<T>(values[e]);
  return result;
}

}  // namespace tpn::cuda
