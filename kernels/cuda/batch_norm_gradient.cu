// batch_norm_gradient and frozen_batch_norm_gradient.
//
// With the statistics of the batch, dx needs sums over all pixels: three launches, sums of sections of the
// pixels, their merging, which takes some microseconds, and dx. Bytes: dy and x twice, dx once. The ReLU
// behind the norm is looked through by making norm(x) again: y need not be kept. With constant statistics dx
// needs no sums, and is written by the first launch: dy, x and dx once.
//
// A thread sums in f32, over some tens or hundreds of pixels; the rest is added up in double, in order.
#include "kernels/cuda/batch_norm_tiles.cuh"
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/batch_norm_training.h"

namespace tpn::cuda {
namespace {

/// A pass over dy and x.
template <class T>
struct GradientPass {
  const T *dy, *x;
  T* dx;  ///< (pixels, C), may be dy
  std::int64_t dy_stride, x_stride, dx_stride;
  NormTiles tiles;

  /// What is read at a pixel, of the channels of a vector.
  struct Loaded {
    Vector<T, vector_size<T>> dy, x;
  };
  [[nodiscard]] __device__ __forceinline__ auto loading(int channel) const {
    return [this, channel](std::int64_t pixel) {
      return Loaded{load_vector<vector_size<T>>(dy + pixel * dy_stride + channel),
                    load_vector<vector_size<T>>(x + pixel * x_stride + channel)};
    };
  }
};

/// Sums of dy and of dy * (x - mean), for one vector of channels.
template <int Count>
struct GradientSums {
  float sum[Count] = {}, product[Count] = {};

  __device__ __forceinline__ void add(float dy, float distance, int e) {
    sum[e] += dy;
    product[e] = fmaf(dy, distance, product[e]);
  }

  /// The sums of the block, as partial sums of its section.
  __device__ __forceinline__ void store(const NormTiles& tiles, double* partial) const {
    TPN_SHARED(float, sums, norm_room<Count>);
    TPN_SHARED(float, products, norm_room<Count>);
    const int width = tiles.lanes * Count;
#pragma unroll
    for (int e = 0; e < Count; ++e) {
      const int at = static_cast<int>(threadIdx.y) * width + static_cast<int>(threadIdx.x) * Count + e;
      sums[at] = sum[e];
      products[at] = product[e];
    }
    __syncthreads();
    store_section<Count>(tiles, partial, [&](int c) {
      PairOfSums total{0, 0};
      for (int r = 0; r < tiles.rows; ++r) {
        total.first += static_cast<double>(sums[r * width + c]);
        total.second += static_cast<double>(products[r * width + c]);
      }
      return total;
    });
  }
};

/// Each (C).
struct GradientConstants {
  const float *scale, *mean;
  const float* deviation;  ///< 1 / sqrt(variance + eps); of constant statistics the variance
  const float* shift;      ///< null where there is no ReLU
};

/// dy where the ReLU behind the norm let y through, or where there is none.
template <bool Relu, int Count>
__device__ __forceinline__ float through_relu(float dy, float x, const Normalization<Count>& norm, int e) {
  return Relu && norm(x, e) <= 0 ? 0.0F : dy;  // NaN lets it through
}

/// partial: (2, sections, padded channels), sums of dy and dy * (x - mean).
template <class T, bool Relu>
__global__ void __launch_bounds__(norm_threads)
    section_gradient_sums(GradientPass<T> pass, GradientConstants constants, double* partial) {
  constexpr int size = vector_size<T>;
  const NormTiles& tiles = pass.tiles;
  const int channel = tiles.channel<size>();
  GradientSums<size> sums;
  if (channel < tiles.padded_channels) {
    const Normalization<size> norm(constants.scale, constants.shift, constants.mean, constants.deviation,
                                   channel, tiles.channels);
    tiles.for_each_pixel(pass.loading(channel), [&](std::int64_t, const auto& loaded) {
#pragma unroll
      for (int e = 0; e < size; ++e) {
        const float value = to_float(loaded.x[e]);
        sums.add(through_relu<Relu>(to_float(loaded.dy[e]), value, norm, e), value - norm.mean[e], e);
      }
    });
  }
  sums.store(tiles, partial);
}

/// dscale = sum of dy (x - mean) / sqrt(variance + eps), dshift = sum of dy, each (C). deviation: as of
/// GradientConstants; Frozen: the statistics are constant.
template <bool Frozen>
__global__ void __launch_bounds__(merge_channels* merge_rows)
    merge_gradient_sums(const double* partial, NormTiles tiles, const float* deviation, double eps,
                        float* dscale, float* dshift) {
  const auto term = [](int, int, const PairOfSums& sums) { return sums; };
  sum_sections(tiles, partial, term, [&](int c, const PairOfSums& sum) {
    const auto given = static_cast<double>(deviation[c]);
    dscale[c] = static_cast<float>(sum.second * (Frozen ? 1 / sqrt(given + eps) : given));
    dshift[c] = static_cast<float>(sum.first);
  });
}

/// dx = factor * (dy - dshift / n - (x - mean) * inverse_std * dscale / n), factor = scale * inverse_std.
template <class T, bool Relu>
__global__ void __launch_bounds__(norm_threads)
    batch_norm_gradient(GradientPass<T> pass, GradientConstants constants, const float* dscale,
                        const float* dshift) {
  constexpr int size = vector_size<T>;
  const NormTiles& tiles = pass.tiles;
  const int channel = tiles.channel<size>();
  if (channel >= tiles.padded_channels) return;
  const Normalization<size> norm(constants.scale, constants.shift, constants.mean, constants.deviation,
                                 channel, tiles.channels);
  ChannelFloats<size> slope(dscale, channel, tiles.channels), offset(dshift, channel, tiles.channels);
  const ChannelFloats<size> inverse(constants.deviation, channel, tiles.channels);
  const float share = 1.0F / static_cast<float>(tiles.pixels);
#pragma unroll
  for (int e = 0; e < size; ++e) {
    slope.value[e] *= -norm.factor[e] * inverse[e] * share;
    offset.value[e] *= -norm.factor[e] * share;
  }
  tiles.for_each_pixel(pass.loading(channel), [&](std::int64_t pixel, const auto& loaded) {
    store_vector(pass.dx + pixel * pass.dx_stride + channel, map(loaded.dy, [&](float own, int e) {
                   const float value = to_float(loaded.x[e]);
                   return fmaf(through_relu<Relu>(own, value, norm, e), norm.factor[e],
                               fmaf(value - norm.mean[e], slope[e], offset[e]));
                 }));
  });
}

/// dx = dy * scale / sqrt(variance + eps), and the sums.
template <class T>
__global__ void __launch_bounds__(norm_threads)
    frozen_batch_norm_gradient(GradientPass<T> pass, GradientConstants constants, float eps,
                               double* partial) {
  constexpr int size = vector_size<T>;
  const NormTiles& tiles = pass.tiles;
  const int channel = tiles.channel<size>();
  GradientSums<size> sums;
  if (channel < tiles.padded_channels) {
    ChannelFloats<size> factor(constants.scale, channel, tiles.channels);
    const ChannelFloats<size> mean(constants.mean, channel, tiles.channels),
        variance(constants.deviation, channel, tiles.channels, 1);
#pragma unroll
    for (int e = 0; e < size; ++e) factor.value[e] /= sqrtf(variance[e] + eps);
    tiles.for_each_pixel(pass.loading(channel), [&](std::int64_t pixel, const auto& loaded) {
#pragma unroll
      for (int e = 0; e < size; ++e) sums.add(to_float(loaded.dy[e]), to_float(loaded.x[e]) - mean[e], e);
      store_vector(pass.dx + pixel * pass.dx_stride + channel,
                   map(loaded.dy, [&](float own, int e) { return own * factor[e]; }));
    });
  }
  sums.store(tiles, partial);
}

/// What both operations are compiled to: launches that take a GradientPass.
template <class T>
class GradientLayouts {
 public:
  GradientLayouts(std::string_view name, const Signature& s)
      : dy_(activation_layout(name, s.inputs[0])),
        x_(activation_layout(name, s.inputs[1])),
        dx_(activation_layout(name, s.outputs[0])),
        tiles_(dx_, vector_size<T>) {}

  [[nodiscard]] GradientPass<T> pass(std::span<const ConstTensorView> in,
                                     std::span<const TensorView> out) const {
    return {aligned_elements<T>(in[0]),
            aligned_elements<T>(in[1]),
            aligned_elements<T>(out[0]),
            dy_.stride,
            x_.stride,
            dx_.stride,
            tiles_};
  }
  [[nodiscard]] const NormTiles& tiles() const { return tiles_; }

  /// reads: how often dy and x are read.
  [[nodiscard]] KernelDescription description(int reads) const {
    return {.implementation = "sections",
            .work = {.bytes = reads * (dy_.bytes(sizeof(T)) + x_.bytes(sizeof(T))) + dx_.bytes(sizeof(T))},
            .in_place_input = dy_.stride == dx_.stride ? 0 : -1,
            .scratch_bytes = tiles_.scratch_bytes()};
  }

 private:
  ActivationLayout dy_, x_, dx_;
  NormTiles tiles_;
};

GradientConstants gradient_constants(std::span<const ConstTensorView> in) {
  return {aligned_elements<float>(in[2]), aligned_elements<float>(in[3]), aligned_elements<float>(in[4]),
          in.size() > 5 ? aligned_elements<float>(in[5]) : nullptr};
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNormGradient& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const GradientLayouts<T> layouts(op.name, s);
    return launch_kernel(layouts.description(2), [layouts, relu = op.relu](
                                                     std::span<const ConstTensorView> in,
                                                     std::span<const TensorView> out, std::byte* scratch,
                                                     cudaStream_t stream) {
      const GradientPass<T> pass = layouts.pass(in, out);
      const GradientConstants constants = gradient_constants(in);
      auto* partial = reinterpret_cast<double*>(scratch);
      float *dscale = aligned_elements<float>(out[1]), *dshift = aligned_elements<float>(out[2]);
      launch("section_gradient_sums", relu ? section_gradient_sums<T, true> : section_gradient_sums<T, false>,
             layouts.tiles().launch_shape(), stream, pass, constants, partial);
      launch("merge_gradient_sums", merge_gradient_sums<false>, merge_shape(layouts.tiles()), stream, partial,
             layouts.tiles(), constants.deviation, 0.0, dscale, dshift);
      launch("batch_norm_gradient", relu ? batch_norm_gradient<T, true> : batch_norm_gradient<T, false>,
             layouts.tiles().launch_shape(), stream, pass, constants, dscale, dshift);
    });
  });
}

std::unique_ptr<Kernel> compile(const ops::FrozenBatchNormGradient& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const GradientLayouts<T> layouts(op.name, s);
    return launch_kernel(
        layouts.description(1),
        [layouts, eps = op.eps](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                                std::byte* scratch, cudaStream_t stream) {
          const GradientConstants constants = gradient_constants(in);
          auto* partial = reinterpret_cast<double*>(scratch);
          launch("frozen_batch_norm_gradient", frozen_batch_norm_gradient<T>, layouts.tiles().launch_shape(),
                 stream, layouts.pass(in, out), constants, static_cast<float>(eps), partial);
          launch("merge_gradient_sums", merge_gradient_sums<true>, merge_shape(layouts.tiles()), stream,
                 partial, layouts.tiles(), constants.deviation, eps, aligned_elements<float>(out[1]),
                 aligned_elements<float>(out[2]));
        });
  });
}

}  // namespace tpn::cuda
