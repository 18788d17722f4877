// batch_norm_training and batch_norm_apply: batch norm with the statistics of the batch, with the addition of
// a residual and ReLU in the same pass; and batch_norm_moments and batch_norm_synchronized, the halves before
// and behind an exchange of statistics between ranks.
//
// Three launches: moments of sections of the pixels, reading x; their merging, which takes some microseconds;
// y, reading x again, which is also all that batch_norm_apply does. Bytes: x twice, the residual and y once.
//
// The moments are exact enough for |mean| a thousand times the deviation: a thread sums the distances from
// the first value that it meets, and their squares, in f32, over some tens or hundreds of pixels; that value
// is one of those, so that the square of the mean distance, which is taken off, is never more than these
// pixels times what is left. Threads and sections are merged in double (Chan, Golub and LeVeque, 1979).
#include "kernels/cuda/batch_norm_tiles.cuh"
#include "kernels/cuda/compile.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/batch_norm_synchronized.h"
#include "kernels/ops/batch_norm_training.h"

namespace tpn::cuda {
namespace {

/// Mean and sum of squared distances from it of each section's pixels. x: (pixels, C); partial: (2, sections,
/// padded channels).
template <class T>
__global__ void __launch_bounds__(norm_threads)
    section_moments(const T* x, double* partial, NormTiles tiles, std::int64_t x_stride) {
  constexpr int size = vector_size<T>;
  TPN_SHARED(double, means, norm_room<size>);
  TPN_SHARED(float, squares, norm_room<size>);
  const int channel = tiles.channel<size>();
  const int begin = tiles.begin(static_cast<int>(blockIdx.y)),
            count = tiles.begin(static_cast<int>(blockIdx.y) + 1) - begin;
  const auto row_pixels = [&, each = count / tiles.rows, further = count % tiles.rows](int row) {
    return each + (row < further ? 1 : 0);
  };
  const int own = row_pixels(static_cast<int>(threadIdx.y));
  const int width = tiles.lanes * size;

  float origin[size] = {}, sum[size] = {}, square[size] = {};
  if (channel < tiles.padded_channels && own > 0) {
    const auto load = [&](std::int64_t pixel) { return load_vector<size>(x + pixel * x_stride + channel); };
    const auto first = load(begin + static_cast<int>(threadIdx.y));
#pragma unroll
    for (int e = 0; e < size; ++e) origin[e] = to_float(first[e]);
    tiles.for_each_pixel(load, [&](std::int64_t, const Vector<T, size>& value) {
#pragma unroll
      for (int e = 0; e < size; ++e) {
        const float distance = to_float(value[e]) - origin[e];
        sum[e] += distance;
        square[e] = fmaf(distance, distance, square[e]);
      }
    });
  }
  const float share = own > 0 ? 1.0F / static_cast<float>(own) : 0.0F;
#pragma unroll
  for (int e = 0; e < size; ++e) {
    const int at = static_cast<int>(threadIdx.y) * width + static_cast<int>(threadIdx.x) * size + e;
    means[at] = static_cast<double>(origin[e]) + static_cast<double>(sum[e] * share);
    const float rest = fmaf(-sum[e] * share, sum[e], square[e]);
    squares[at] = rest < 0 ? 0.0F : rest;
  }
  __syncthreads();

  store_section<size>(tiles, partial, [&](int c) {
    const double origin_mean = means[c];
    double distances = 0, total = 0;  // sums of the rows' distances from the first, and of squares
    for (int r = 0; r < tiles.rows && r < count; ++r) {
      const auto pixels = static_cast<double>(row_pixels(r));
      const double distance = means[r * width + c] - origin_mean;
      distances += pixels * distance;
      total += static_cast<double>(squares[r * width + c]) + pixels * distance * distance;
    }
    const double mean = distances / count;
    return PairOfSums{origin_mean + mean, total - distances * mean};
  });
}

/// What merging writes, each (C) but the last.
struct Statistics {
  float *mean, *inverse_std;
  const float *old_mean, *old_variance;
  float *running_mean, *running_variance;  ///< may be the old ones
  const std::int64_t* old_batches;
  std::int64_t* batches;

  /// Sets those of channel c.
  __device__ __forceinline__ void set(int c, double pixels, double channel_mean, double squares, double eps,
                                      double momentum) const {
    const auto moved = [&](float old, double now) {
      return static_cast<float>((1 - momentum) * static_cast<double>(old) + momentum * now);
    };
    mean[c] = static_cast<float>(channel_mean);
    inverse_std[c] = static_cast<float>(1 / sqrt(squares / pixels + eps));
    running_mean[c] = moved(old_mean[c], channel_mean);
    running_variance[c] = moved(old_variance[c], squares / (pixels - 1));
    if (c == 0) *batches = *old_batches + 1;
  }
};

/// Calls body(c, mean, sum of squared distances from it) with those of all pixels; partial: as
/// section_moments leaves it.
template <class Body>
__device__ __forceinline__ void merge_sections(const double* partial, const NormTiles& tiles,
                                               const Body& body) {
  const auto term = [&](int section, int c, const PairOfSums& moments) {
    const auto pixels = static_cast<double>(tiles.begin(section + 1) - tiles.begin(section));
    const double distance = moments.first - partial[c];  // from the first section's mean
    return PairOfSums{pixels * distance, moments.second + pixels * distance * distance};
  };
  sum_sections(tiles, partial, term, [&](int c, const PairOfSums& sum) {
    const double distance = sum.first / static_cast<double>(tiles.pixels);
    body(c, partial[c] + distance, sum.second - sum.first * distance);
  });
}

/// The statistics of all pixels.
__global__ void __launch_bounds__(merge_channels* merge_rows)
    merge_moments(const double* partial, NormTiles tiles, Statistics statistics, double eps,
                  double momentum) {
  merge_sections(partial, tiles, [&](int c, double mean, double squares) {
    statistics.set(c, static_cast<double>(tiles.pixels), mean, squares, eps, momentum);
  });
}

/// The moments of all pixels, each (C), for the other ranks.
__global__ void __launch_bounds__(merge_channels* merge_rows)
    store_moments(const double* partial, NormTiles tiles, const float* present, float* pixels, float* means,
                  float* squares) {
  merge_sections(partial, tiles, [&](int c, double mean, double sum) {
    const auto counts = static_cast<double>(*present);
    pixels[c] = static_cast<float>(static_cast<double>(tiles.pixels) * counts);
    means[c] = static_cast<float>(mean);
    squares[c] = static_cast<float>(sum * counts);
  });
}

/// The statistics of the pixels of all ranks. moments: (3 ranks, C).
__global__ void __launch_bounds__(norm_threads)
    merge_ranks(const float* moments, int ranks, int channels, Statistics statistics, double eps,
                double momentum) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= channels) return;
  double pixels = 0, mean = 0, squares = 0;
  for (int r = 0; r < ranks; ++r) {
    const float* of_rank = moments + static_cast<std::int64_t>(3) * r * channels + c;
    const auto more = static_cast<double>(of_rank[0]);
    if (more <= 0) continue;
    const double distance = static_cast<double>(of_rank[channels]) - mean, total = pixels + more;
    squares += static_cast<double>(of_rank[std::int64_t{2} * channels]) +
               distance * distance * pixels * more / total;
    mean += distance * more / total;
    pixels = total;
  }
  statistics.set(c, pixels, mean, squares, eps, momentum);
}

/// What y is made from besides x, each (C).
struct BatchNormOperands {
  const float *scale, *shift, *mean, *inverse_std;
};

/// x, residual, y: (pixels, C); residual may be null, y may be either.
template <class T, bool Relu>
__global__ void __launch_bounds__(norm_threads)
    batch_norm_apply(const T* x, BatchNormOperands constants, const T* residual, T* y, NormTiles tiles,
                     std::int64_t x_stride, std::int64_t residual_stride, std::int64_t y_stride) {
  constexpr int size = vector_size<T>;
  const int channel = tiles.channel<size>();
  if (channel >= tiles.padded_channels) return;
  const Normalization<size> norm(constants.scale, constants.shift, constants.mean, constants.inverse_std,
                                 channel, tiles.channels);
  struct Loaded {
    Vector<T, size> x, residual;
  };
  const auto load = [&](std::int64_t pixel) {
    Loaded loaded{load_vector<size>(x + pixel * x_stride + channel), {}};
    if (residual != nullptr) {
      loaded.residual = load_vector<size>(residual + pixel * residual_stride + channel);
    }
    return loaded;
  };
  tiles.for_each_pixel(load, [&](std::int64_t pixel, const Loaded& loaded) {
    store_vector(y + pixel * y_stride + channel, map(loaded.x, [&](float v, int e) {
                   const float sum = norm(v, e) + to_float(loaded.residual[e]);
                   return Relu && sum < 0 ? 0.0F : sum;  // NaN stays
                 }));
  });
}

/// Launches batch_norm_apply. inputs: x, then the residual if there is one.
template <class T>
class Application {
 public:
  Application(std::string_view name, const ops::NormEpilogue& epilogue, const Signature& s)
      : tiles_(activation_layout(name, s.outputs[0]), vector_size<T>),
        epilogue_(epilogue),
        x_(activation_layout(name, s.inputs[0])),
        y_(activation_layout(name, s.outputs[0])) {
    if (epilogue.residual) residual_ = activation_layout(name, s.inputs.back());
  }

  void operator()(std::span<const ConstTensorView> in, const BatchNormOperands& constants,
                  const TensorView& y, cudaStream_t stream) const {
    launch("batch_norm_apply", epilogue_.relu ? batch_norm_apply<T, true> : batch_norm_apply<T, false>,
           tiles_.launch_shape(), stream, aligned_elements<T>(in[0]), constants,
           epilogue_.residual ? aligned_elements<T>(in.back()) : nullptr, aligned_elements<T>(y), tiles_,
           x_.stride, residual_.stride, y_.stride);
  }

  [[nodiscard]] std::int64_t bytes() const {
    return x_.bytes(sizeof(T)) + y_.bytes(sizeof(T)) + (epilogue_.residual ? residual_.bytes(sizeof(T)) : 0) +
           std::int64_t{4} * 4 * y_.c;
  }
  [[nodiscard]] const ActivationLayout& x() const { return x_; }
  [[nodiscard]] const NormTiles& tiles() const { return tiles_; }

 private:
  NormTiles tiles_;
  ops::NormEpilogue epilogue_;
  ActivationLayout x_, residual_, y_;
};

/// Of operations with the operands of batch_norm_training.
Statistics statistics_of(std::span<const ConstTensorView> in, std::span<const TensorView> out) {
  const auto read = [&](std::size_t i) { return aligned_elements<float>(in[i]); };
  const auto write = [&](std::size_t i) { return aligned_elements<float>(out[i]); };
  return {write(1),
          write(2),
          read(3),
          read(4),
          write(3),
          write(4),
          aligned_elements<std::int64_t>(in[5]),
          aligned_elements<std::int64_t>(out[5])};
}

BatchNormOperands constants_of(std::span<const ConstTensorView> in, const Statistics& statistics) {
  return {aligned_elements<float>(in[1]), aligned_elements<float>(in[2]), statistics.mean,
          statistics.inverse_std};
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNormTraining& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const Application<T> apply(op.name, op.epilogue, s);
    const KernelDescription description{.implementation = "sections",
                                        .work = {.bytes = apply.x().bytes(sizeof(T)) + apply.bytes()},
                                        .scratch_bytes = apply.tiles().scratch_bytes()};
    return launch_kernel(description,
                         [op, apply](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                                     std::byte* scratch, cudaStream_t stream) {
                           auto* partial = reinterpret_cast<double*>(scratch);
                           const Statistics statistics = statistics_of(in, out);
                           launch("section_moments", section_moments<T>, apply.tiles().launch_shape(), stream,
                                  aligned_elements<T>(in[0]), partial, apply.tiles(), apply.x().stride);
                           launch("merge_moments", merge_moments, merge_shape(apply.tiles()), stream, partial,
                                  apply.tiles(), statistics, op.eps, op.momentum);
                           apply(in, constants_of(in, statistics), out[0], stream);
                         });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormApply& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const Application<T> apply(op.name, op.epilogue, s);
    const KernelDescription description{.implementation = "sections", .work = {.bytes = apply.bytes()}};
    return launch_kernel(description, [apply](auto in, auto out, cudaStream_t stream) {
      const auto read = [&](std::size_t i) { return aligned_elements<float>(in[i]); };
      apply(in, {read(1), read(2), read(3), read(4)}, out[0], stream);
    });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormMoments& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const ActivationLayout x = activation_layout(op.name, s.inputs[0]);
    const NormTiles tiles(x, vector_size<T>);
    const KernelDescription description{.implementation = "sections",
                                        .work = {.bytes = x.bytes(sizeof(T))},
                                        .scratch_bytes = tiles.scratch_bytes()};
    return launch_kernel(description,
                         [x, tiles](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                                    std::byte* scratch, cudaStream_t stream) {
                           auto* partial = reinterpret_cast<double*>(scratch);
                           launch("section_moments", section_moments<T>, tiles.launch_shape(), stream,
                                  aligned_elements<T>(in[0]), partial, tiles, x.stride);
                           launch("store_moments", store_moments, merge_shape(tiles), stream, partial, tiles,
                                  aligned_elements<float>(in[1]), aligned_elements<float>(out[0]),
                                  aligned_elements<float>(out[1]), aligned_elements<float>(out[2]));
                         });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormSynchronized& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const Application<T> apply(op.name, op.norm.epilogue, s);
    const auto ranks = static_cast<int>(s.inputs[6].shape[0] / 3);
    const KernelDescription description{.implementation = "ranks", .work = {.bytes = apply.bytes()}};
    return launch_kernel(description, [norm = op.norm, apply, ranks](std::span<const ConstTensorView> in,
                                                                     std::span<const TensorView> out,
                                                                     cudaStream_t stream) {
      const Statistics statistics = statistics_of(in, out);
      launch("merge_ranks", merge_ranks, channel_shape(apply.tiles()), stream, aligned_elements<float>(in[6]),
             ranks, apply.tiles().channels, statistics, norm.eps, norm.momentum);
      apply(in, constants_of(in, statistics), out[0], stream);
    });
  });
}

}  // namespace tpn::cuda
