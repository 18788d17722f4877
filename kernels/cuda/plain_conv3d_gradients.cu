// Gradients of a convolution straight from their definitions: one thread sums one element. The references for
// the fast kernels on the device, and what runs where they cannot: groups whose channels do not come in 16
// bytes.
//
//   dx[q][i]        sums dy[p][o] weight[o][k][i] over the windows p and taps k that meet at q
//   dweight[o][i,k] sums dy[p][o] x[q][i]         over the windows p whose tap k lies inside, at q
//
// Bytes: each element of a result reads its terms again, mostly from caches.
#include "kernels/cuda/conv_problem.h"
#include "kernels/cuda/plain_product.cuh"

namespace tpn::cuda {
namespace {

/// The window of which tap `tap` meets `position` in a direction; -1: none.
__device__ int window(int position, int tap, int stride, int padding, int windows) {
  const int first = position + padding - tap;
  return first >= 0 && first % stride == 0 && first / stride < windows ? first / stride : -1;
}

/// The gradient of channel i of x at (n,t,h,w).
template <class T>
__device__ float data_gradient(const ConvGradientProblem& p, int n, int t, int h, int w, int i) {
  using Element = typename T::Element;
  const ConvSizes& s = p.sizes;
  const int group = i / s.group_channels;
  const int taps = s.kernel.t * s.kernel.h * s.kernel.w;
  const auto* weights = static_cast<const Element*>(p.weights) +
                        static_cast<std::int64_t>(group) * s.columns * taps * s.group_channels +
                        i % s.group_channels;
  float sum = 0;
  for (int a = 0; a < s.kernel.t; ++a) {
    const int yt = window(t, a, s.stride.t, s.padding.t, s.out.t);
    if (yt < 0) continue;
    for (int b = 0; b < s.kernel.h; ++b) {
      const int yh = window(h, b, s.stride.h, s.padding.h, s.out.h);
      if (yh < 0) continue;
      for (int c = 0; c < s.kernel.w; ++c) {
        const int yw = window(w, c, s.stride.w, s.padding.w, s.out.w);
        if (yw < 0) continue;
        const std::int64_t pixel =
            ((static_cast<std::int64_t>(n) * s.out.t + yt) * s.out.h + yh) * s.out.w + yw;
        const auto* dy = static_cast<const Element*>(p.dy) + pixel * s.y_stride + group * s.columns;
        const int tap = (a * s.kernel.h + b) * s.kernel.w + c;
        for (int o = 0; o < s.columns; ++o) {
          const Element weight = weights[(static_cast<std::int64_t>(o) * taps + tap) * s.group_channels];
          sum = fmaf(factor<T>(dy + o), to_float(weight), sum);
        }
      }
    }
  }
  return sum;
}

template <class T>
__global__ void __launch_bounds__(conv_threads, 2)
    plain_conv3d_data_gradient(const ConvGradientProblem p, int pixels) {
  using Element = typename T::Element;
  const ConvSizes& s = p.sizes;
  const int thread = static_cast<int>(threadIdx.x);
  const int channels = s.groups * s.group_channels;
  const int i = static_cast<int>(blockIdx.y) * plain_channels + thread % plain_channels;
  const int pixel = static_cast<int>(blockIdx.x) * plain_rows + thread / plain_channels;
  if (pixel >= pixels || i >= (channels + 7) / 8 * 8) return;
  const int w = pixel % s.in.w;
  const int h = pixel / s.in.w % s.in.h;
  const int t = pixel / (s.in.w * s.in.h) % s.in.t;
  const int n = pixel / (s.in.w * s.in.h * s.in.t);
  // The channels that fill up a vector stay zero.
  const float value = i < channels ? data_gradient<T>(p, n, t, h, w, i) : 0.0F;
  static_cast<Element*>(p.dx)[pixel * s.x_stride + i] = from_float<Element>(value);
}

/// The sum for output channel o, tap (a,b,c) and channel i of the group. Rows of windows are summed apart:
/// one sum of all positions, which are hundreds of thousands, would round too much away.
template <class T>
__device__ float weight_gradient(const ConvGradientProblem& p, int o, int a, int b, int c, int i) {
  using Element = typename T::Element;
  const ConvSizes& s = p.sizes;
  const int frames = s.rows / (s.out.h * s.out.w);
  const auto* x = static_cast<const Element*>(p.x) + o / s.columns * s.group_channels + i;
  const auto* dy = static_cast<const Element*>(p.dy) + o;
  float sum = 0;
  for (int frame = 0; frame < frames; ++frame) {
    const int xt = frame % s.out.t * s.stride.t + a - s.padding.t;
    if (xt < 0 || xt >= s.in.t) continue;
    for (int h = 0; h < s.out.h; ++h) {
      const int xh = h * s.stride.h + b - s.padding.h;
      if (xh < 0 || xh >= s.in.h) continue;
      const std::int64_t x_row = (static_cast<std::int64_t>(frame / s.out.t) * s.in.t + xt) * s.in.h + xh;
      const std::int64_t y_row = static_cast<std::int64_t>(frame) * s.out.h + h;
      float row_sum = 0;
      for (int w = 0; w < s.out.w; ++w) {
        const int xw = w * s.stride.w + c - s.padding.w;
        if (xw < 0 || xw >= s.in.w) continue;
        row_sum = fmaf(factor<T>(dy + (y_row * s.out.w + w) * s.y_stride),
                       factor<T>(x + (x_row * s.in.w + xw) * s.x_stride), row_sum);
      }
      sum += row_sum;
    }
  }
  return sum;
}

template <class T>
__global__ void __launch_bounds__(conv_threads, 2) plain_conv3d_weight_gradient(const ConvGradientProblem p) {
  const ConvSizes& s = p.sizes;
  const int thread = static_cast<int>(threadIdx.x);
  const int taps = s.kernel.t * s.kernel.h * s.kernel.w;
  const int i = static_cast<int>(blockIdx.y) * plain_channels + thread % plain_channels;
  const int row = static_cast<int>(blockIdx.x) * plain_rows + thread / plain_channels;
  const int o = row / taps;
  const int tap = row % taps;
  if (o >= s.groups * s.columns || i >= s.group_channels) return;
  p.dweight[(static_cast<std::int64_t>(o) * s.group_channels + i) * taps + tap] = weight_gradient<T>(
      p, o, tap / (s.kernel.h * s.kernel.w), tap / s.kernel.w % s.kernel.h, tap % s.kernel.w, i);
}

}  // namespace

void (*conv_plain_data_gradient(ConvType type))(ConvGradientProblem, int) {
  return with_product(type, []<class T>(T) { return plain_conv3d_data_gradient<T>; });
}

void (*conv_plain_weight_gradient(ConvType type))(ConvGradientProblem) {
  return with_product(type, []<class T>(T) { return plain_conv3d_weight_gradient<T>; });
}

}  // namespace tpn::cuda
