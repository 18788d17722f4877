// batch_norm_gradient and frozen_batch_norm_gradient; and batch_norm_gradient_sums and
// batch_norm_gradient_synchronized, the halves of the first before and behind an exchange between ranks.
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
#include "kernels/ops/batch_norm_synchronized.h"
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

/// What dx is made from besides dy and x.
struct PixelSums {
  const float *dscale, *dshift;  ///< each (C)
  float share;                   ///< 1 / n, or 1 where it has been multiplied with them
  const float* present;          ///< whether the pixels count, 0 or 1; null: they do
};

/// dx = factor * (dy - dshift / n - (x - mean) * inverse_std * dscale / n), factor = scale * inverse_std.
template <class T, bool Relu>
__global__ void __launch_bounds__(norm_threads)
    batch_norm_gradient(GradientPass<T> pass, GradientConstants constants, PixelSums sums) {
  constexpr int size = vector_size<T>;
  const NormTiles& tiles = pass.tiles;
  const int channel = tiles.channel<size>();
  if (channel >= tiles.padded_channels) return;
  const Normalization<size> norm(constants.scale, constants.shift, constants.mean, constants.deviation,
                                 channel, tiles.channels);
  ChannelFloats<size> slope(sums.dscale, channel, tiles.channels),
      offset(sums.dshift, channel, tiles.channels), factor = norm.factor;
  const ChannelFloats<size> inverse(constants.deviation, channel, tiles.channels);
  const float counts = sums.present != nullptr ? *sums.present : 1.0F;
#pragma unroll
  for (int e = 0; e < size; ++e) {
    factor.value[e] *= counts;
    slope.value[e] *= -factor[e] * inverse[e] * sums.share;
    offset.value[e] *= -factor[e] * sums.share;
  }
  tiles.for_each_pixel(pass.loading(channel), [&](std::int64_t pixel, const auto& loaded) {
    store_vector(pass.dx + pixel * pass.dx_stride + channel, map(loaded.dy, [&](float own, int e) {
                   const float value = to_float(loaded.x[e]);
                   return fmaf(through_relu<Relu>(own, value, norm, e), factor[e],
                               fmaf(value - norm.mean[e], slope[e], offset[e]));
                 }));
  });
}

/// What all ranks have summed up, divided by the number of their pixels. sums: (2 ranks, C), moments: (3
/// ranks, C), means: (2, C).
__global__ void __launch_bounds__(norm_threads)
    mean_over_ranks(const float* sums, const float* moments, int ranks, int channels, float* means) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= channels) return;
  double dscale = 0, dshift = 0, pixels = 0;
  for (int r = 0; r < ranks; ++r) {
    const std::int64_t row = static_cast<std::int64_t>(r) * channels;
    dscale += static_cast<double>(sums[2 * row + c]);
    dshift += static_cast<double>(sums[2 * row + channels + c]);
    pixels += static_cast<double>(moments[3 * row + c]);
  }
  means[c] = static_cast<float>(dscale / pixels);
  means[channels + c] = static_cast<float>(dshift / pixels);
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
        tiles_(x_, vector_size<T>) {
    if (s.outputs[0].kind == Kind::activation) dx_ = activation_layout(name, s.outputs[0]);
  }

  /// dx: null where only sums are made.
  [[nodiscard]] GradientPass<T> pass(std::span<const ConstTensorView> in, const TensorView* dx) const {
    return {aligned_elements<T>(in[0]),
            aligned_elements<T>(in[1]),
            dx != nullptr ? aligned_elements<T>(*dx) : nullptr,
            dy_.stride,
            x_.stride,
            dx_.stride,
            tiles_};
  }
  [[nodiscard]] const NormTiles& tiles() const { return tiles_; }

  /// Enqueues the sums over all pixels, dscale and dshift, each (C).
  void sum(const GradientPass<T>& pass, const GradientConstants& constants, bool relu, std::byte* scratch,
           float* dscale, float* dshift, cudaStream_t stream) const {
    auto* partial = reinterpret_cast<double*>(scratch);
    launch("section_gradient_sums", relu ? section_gradient_sums<T, true> : section_gradient_sums<T, false>,
           tiles_.launch_shape(), stream, pass, constants, partial);
    launch("merge_gradient_sums", merge_gradient_sums<false>, merge_shape(tiles_), stream, partial, tiles_,
           constants.deviation, 0.0, dscale, dshift);
  }
  /// Enqueues dx.
  void combine(const GradientPass<T>& pass, const GradientConstants& constants, bool relu,
               const PixelSums& sums, cudaStream_t stream) const {
    launch("batch_norm_gradient", relu ? batch_norm_gradient<T, true> : batch_norm_gradient<T, false>,
           tiles_.launch_shape(), stream, pass, constants, sums);
  }

  /// reads: how often dy and x are read.
  [[nodiscard]] KernelDescription description(int reads) const {
    return {.implementation = "sections",
            .work = {.bytes = reads * (dy_.bytes(sizeof(T)) + x_.bytes(sizeof(T))) + dx_.bytes(sizeof(T))},
            .in_place_input = dy_.stride == dx_.stride ? 0 : -1,  // none without dx, whose stride is 0
            .scratch_bytes = tiles_.scratch_bytes()};
  }

 private:
  ActivationLayout dy_, x_, dx_;
  NormTiles tiles_;
};

/// shift: its place among the inputs, if there is one.
GradientConstants gradient_constants(std::span<const ConstTensorView> in, std::size_t shift = 5) {
  return {aligned_elements<float>(in[2]), aligned_elements<float>(in[3]), aligned_elements<float>(in[4]),
          in.size() > shift ? aligned_elements<float>(in[shift]) : nullptr};
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNormGradient& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const GradientLayouts<T> layouts(op.name, s);
    return launch_kernel(
        layouts.description(2),
        [layouts, relu = op.relu](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                                  std::byte* scratch, cudaStream_t stream) {
          const GradientPass<T> pass = layouts.pass(in, &out[0]);
          const GradientConstants constants = gradient_constants(in);
          float *dscale = aligned_elements<float>(out[1]), *dshift = aligned_elements<float>(out[2]);
          layouts.sum(pass, constants, relu, scratch, dscale, dshift, stream);
          const float share = 1.0F / static_cast<float>(layouts.tiles().pixels);
          layouts.combine(pass, constants, relu, {dscale, dshift, share, nullptr}, stream);
        });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormGradientSums& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const GradientLayouts<T> layouts(op.name, s);
    return launch_kernel(
        layouts.description(1),
        [layouts, relu = op.relu](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                                  std::byte* scratch, cudaStream_t stream) {
          layouts.sum(layouts.pass(in, nullptr), gradient_constants(in), relu, scratch,
                      aligned_elements<float>(out[0]), aligned_elements<float>(out[1]), stream);
        });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormGradientSynchronized& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const GradientLayouts<T> layouts(op.name, s);
    const auto ranks = static_cast<int>(s.inputs[5].shape[0] / 2);
    const std::int64_t channels = s.inputs[2].shape[0];
    KernelDescription description = layouts.description(1);
    description.implementation = "ranks";
    description.scratch_bytes = static_cast<std::size_t>(2 * channels) * sizeof(float);
    return launch_kernel(
        description, [layouts, ranks, channels, relu = op.relu](std::span<const ConstTensorView> in,
                                                                std::span<const TensorView> out,
                                                                std::byte* scratch, cudaStream_t stream) {
          auto* means = reinterpret_cast<float*>(scratch);
          launch("mean_over_ranks", mean_over_ranks, channel_shape(layouts.tiles()), stream,
                 aligned_elements<float>(in[5]), aligned_elements<float>(in[6]), ranks,
                 static_cast<int>(channels), means);
          layouts.combine(layouts.pass(in, &out[0]), gradient_constants(in, 8), relu,
                          {means, means + channels, 1.0F, aligned_elements<float>(in[7])}, stream);
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
                 stream, layouts.pass(in, &out[0]), constants, static_cast<float>(eps), partial);
          launch("merge_gradient_sums", merge_gradient_sums<true>, merge_shape(layouts.tiles()), stream,
                 partial, layouts.tiles(), constants.deviation, eps, aligned_elements<float>(out[1]),
                 aligned_elements<float>(out[2]));
        });
  });
}

}  // namespace tpn::cuda
