// Convolution straight from its definition: one thread sums one element of y, tap by tap and channel by
// channel. The reference for the fast kernels on the device, and what runs where they cannot: groups whose
// channels do not come in 16 bytes, a shift before a kernel in t.
// Bytes: each element of y reads its taps of x and of the weights again, mostly from caches.
#include "kernels/cuda/conv_problem.h"
#include "kernels/cuda/plain_product.cuh"

namespace tpn::cuda {
namespace {

/// The frame that a channel of a shifted frame t comes from.
__device__ int shifted(int t, int channel, int fold) {
  if (channel < fold) return t + 1;
  return channel < 2 * fold ? t - 1 : t;
}

/// The convolution's sum for output channel o of the position (n,t,h,w).
template <class T>
__device__ float conv_sum(const ConvProblem& p, int shift_fold, int n, int t, int h, int w, int o) {
  using Element = typename T::Element;
  const ConvSizes& s = p.sizes;
  const int first_channel = o / s.columns * s.group_channels;
  const auto* weight = static_cast<const Element*>(p.weights) +
                       static_cast<std::int64_t>(o) * s.kernel.t * s.kernel.h * s.kernel.w * s.group_channels;
  float sum = 0;
  for (int a = 0; a < s.kernel.t; ++a) {
    for (int b = 0; b < s.kernel.h; ++b) {
      for (int c = 0; c < s.kernel.w; ++c, weight += s.group_channels) {
        const int xt = t * s.stride.t + a - s.padding.t;
        const int xh = h * s.stride.h + b - s.padding.h;
        const int xw = w * s.stride.w + c - s.padding.w;
        if (xt < 0 || xt >= s.in.t || xh < 0 || xh >= s.in.h || xw < 0 || xw >= s.in.w) continue;
        for (int i = 0; i < s.group_channels; ++i) {
          const int frame = shifted(xt, first_channel + i, shift_fold);
          if (frame < 0 || frame >= s.in.t) continue;
          const std::int64_t pixel =
              ((static_cast<std::int64_t>(n) * s.in.t + frame) * s.in.h + xh) * s.in.w + xw;
          const auto* x = static_cast<const Element*>(p.x) + pixel * s.x_stride + first_channel + i;
          sum = fmaf(factor<T>(x), to_float(weight[i]), sum);
        }
      }
    }
  }
  return sum;
}

template <class T>
__global__ void __launch_bounds__(conv_threads, 2) plain_conv3d(const ConvProblem p, int shift_fold) {
  using Element = typename T::Element;
  const ConvSizes& s = p.sizes;
  const int thread = static_cast<int>(threadIdx.x);
  const int o = static_cast<int>(blockIdx.y) * plain_channels + thread % plain_channels;
  const int row = static_cast<int>(blockIdx.x) * plain_rows + thread / plain_channels;
  if (row >= s.rows || o >= s.channels) return;
  const int w = row % s.out.w;
  const int h = row / s.out.w % s.out.h;
  const int t = row / (s.out.w * s.out.h) % s.out.t;
  const int n = row / (s.out.w * s.out.h * s.out.t);

  float value = 0;
  if (o < s.columns * s.groups) {  // the channels that fill up a vector stay zero
    value = conv_sum<T>(p, shift_fold, n, t, h, w, o);
    if (p.scale != nullptr) value *= p.scale[o];
    if (p.bias != nullptr) value += p.bias[o];
    if (p.residual != nullptr) {
      const int frame = s.one_frame_residual ? n : n * s.out.t + t;
      const std::int64_t pixel = (static_cast<std::int64_t>(frame) * s.out.h + h) * s.out.w + w;
      value += to_float(static_cast<const Element*>(p.residual)[pixel * s.residual_stride + o]);
    }
    if (s.relu) value = value < 0 ? 0.0F : value;
  }
  static_cast<Element*>(p.y)[row * s.y_stride + o] = from_float<Element>(value);
}

}  // namespace

void (*conv_plain(ConvType type))(ConvProblem, int) {
  return with_product(type, []<class T>(T) { return plain_conv3d<T>; });
}

}  // namespace tpn::cuda
