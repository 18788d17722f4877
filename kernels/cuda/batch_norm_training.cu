// batch_norm_training and batch_norm_apply: batch norm with the statistics of the batch, with the addition of
// a residual and ReLU in the same pass.
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
};

/// The statistics of all pixels.
__global__ void __launch_bounds__(merge_channels* merge_rows)
    merge_moments(const double* partial, NormTiles tiles, Statistics statistics, double eps,
                  double momentum) {
  const auto term = [&](int section, int c, const PairOfSums& moments) {
    const auto pixels = static_cast<double>(tiles.begin(section + 1) - tiles.begin(section));
    const double distance = moments.first - partial[c];  // from the first section's mean
    return PairOfSums{pixels * distance, moments.second + pixels * distance * distance};
  };
  sum_sections(tiles, partial, term, [&](int c, const PairOfSums& sum) {
    const auto pixels = static_cast<double>(tiles.pixels);
    const double distance = sum.first / pixels, mean = partial[c] + distance,
                 squares = sum.second - sum.first * distance;
    const auto moved = [&](float old, double now) {
      return static_cast<float>((1 - momentum) * static_cast<double>(old) + momentum * now);
    };
    statistics.mean[c] = static_cast<float>(mean);
    statistics.inverse_std[c] = static_cast<float>(1 / sqrt(squares / pixels + eps));
    statistics.running_mean[c] = moved(statistics.old_mean[c], mean);
    statistics.running_variance[c] = moved(statistics.old_variance[c], squares / (pixels - 1));
    if (c == 0) *statistics.batches = *statistics.old_batches + 1;
  });
}

/// What y is made from besides x, each (C).
struct NormConstants {
  const float *scale, *shift, *mean, *inverse_std;
};

/// x, residual, y: (pixels, C); residual may be null, y may be either.
template <class T, bool Relu>
__global__ void __launch_bounds__(norm_threads)
    batch_norm_apply(const T* x, NormConstants constants, const T* residual, T* y, NormTiles tiles,
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

  void operator()(std::span<const ConstTensorView> in, const NormConstants& constants, const TensorView& y,
                  cudaStream_t stream) const {
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
                           const auto read = [&](std::size_t i) { return aligned_elements<float>(in[i]); };
                           const auto write = [&](std::size_t i) { return aligned_elements<float>(out[i]); };
                           auto* partial = reinterpret_cast<double*>(scratch);
                           const Statistics statistics{write(1),
                                                       write(2),
                                                       read(3),
                                                       read(4),
                                                       write(3),
                                                       write(4),
                                                       aligned_elements<std::int64_t>(in[5]),
                                                       aligned_elements<std::int64_t>(out[5])};
                           launch("section_moments", section_moments<T>, apply.tiles().launch_shape(), stream,
                                  aligned_elements<T>(in[0]), partial, apply.tiles(), apply.x().stride);
                           launch("merge_moments", merge_moments, merge_shape(apply.tiles()), stream, partial,
                                  apply.tiles(), statistics, op.eps, op.momentum);
                           apply(in, {read(1), read(2), write(1), write(2)}, out[0], stream);
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

}  // namespace tpn::cuda
