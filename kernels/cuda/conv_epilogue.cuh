// What follows the sums of a convolution, for a few consecutive channels of one output position:
// y = relu(sum * scale + bias + residual), in f32, rounded once.
#pragma once

#include "kernels/cuda/conv_positions.cuh"

namespace tpn::cuda {

/// Of `Count` consecutive output channels.
template <int Count>
struct ChannelParameters {
  float scale[Count];
  float bias[Count];
};

/// channel: a multiple of Count, below the problem's `channels`.
template <int Count>
__device__ __forceinline__ ChannelParameters<Count> channel_parameters(const ConvProblem& p, int channel) {
  ChannelParameters<Count> result;
#pragma unroll
  for (int i = 0; i < Count; i += 4) {
    Vector<float, 4> scale{{1, 1, 1, 1}};
    Vector<float, 4> bias{{0, 0, 0, 0}};
    if (p.scale != nullptr) scale = load_vector<4>(p.scale + channel + i);
    if (p.bias != nullptr) bias = load_vector<4>(p.bias + channel + i);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      result.scale[i + j] = scale[j];
      result.bias[i + j] = bias[j];
    }
  }
  return result;
}

/// The residual of 16 bytes of channels at an output position. There is one.
template <class T>
__device__ __forceinline__ Vector<T, vector_size<T>> load_residual(const ConvProblem& p, int row,
                                                                   int channel) {
  const ConvSizes& s = p.sizes;
  int pixel = row;
  if (s.one_frame_residual) {
    const int frame = s.out.h * s.out.w;
    pixel = row / (frame * s.out.t) * frame + row % frame;
  }
  return load_vector<vector_size<T>>(static_cast<const T*>(p.residual) + pixel * s.residual_stride + channel);
}

/// Finishes and stores 16 bytes of channels. residual: zeros for none.
template <class T>
__device__ __forceinline__ void finish(const ConvProblem& p, int row, int channel,
                                       const float (&sum)[vector_size<T>],
                                       const ChannelParameters<vector_size<T>>& parameters,
                                       const Vector<T, vector_size<T>>& residual) {
  Vector<T, vector_size<T>> y;
#pragma unroll
  for (int i = 0; i < vector_size<T>; ++i) {
    float value = fmaf(sum[i], parameters.scale[i], parameters.bias[i]);
    value += to_float(residual[i]);
    if (p.sizes.relu) value = value < 0 ? 0.0F : value;
    y[i] = from_float<T>(value);
  }
  store_vector(static_cast<T*>(p.y) + y_pixel(p.sizes, row) * p.sizes.y_stride + channel, y);
}

/// Where a split leaves its sums of `channel` and those after it.
__device__ __forceinline__ float* partial_sum(const ConvProblem& p, int split, int row, int channel) {
  return p.partial + (static_cast<std::int64_t>(split) * p.sizes.rows + row) * p.sizes.channels + channel;
}

}  // namespace tpn::cuda
