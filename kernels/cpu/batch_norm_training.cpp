// Batch norm with the statistics of the batch, and its gradients: two passes over x, channels innermost.
#include "kernels/ops/batch_norm_training.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/float_block.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/pixel_rows.h"
#include "kernels/cpu/sections.h"
#include "kernels/cpu/vectorize.h"
#include "kernels/ops/batch_norm.h"

namespace tpn::cpu {
namespace {

/// Pixels whose mean is taken before they are merged with the others: so few that their sums lose nothing.
constexpr std::int64_t block_pixels = 16;

TPN_VECTORIZE void add_squares(const float* x, const float* mean, float* sum, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) sum[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
}

TPN_VECTORIZE void add_squares(const Bf16* x, const float* mean, float* sum, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) {
    const float distance = static_cast<float>(x[c]) - mean[c];
    sum[c] += distance * distance;
  }
}

/// Mean and sum of squared distances from it, of so many pixels, per channel.
struct Moments {
  double* mean;
  double* squares;
  double pixels = 0;
};

/// Takes in the moments of further pixels (Chan, Golub and LeVeque, 1979).
template <class Real>
TPN_VECTORIZE void merge(double* mean, double* squares, double pixels, const Real* more_mean,
                         const Real* more_squares, double more_pixels, std::int64_t channels) {
  const double all = pixels + more_pixels, share = more_pixels / all, cross = pixels * share;
  for (std::int64_t c = 0; c < channels; ++c) {
    const double distance = static_cast<double>(more_mean[c]) - mean[c];
    mean[c] += distance * share;
    squares[c] += static_cast<double>(more_squares[c]) + distance * distance * cross;
  }
}

/// The moments of pixels [begin, end). block: room for two rows of channels.
template <class T>
void take_moments(const T* x, std::int64_t begin, std::int64_t end, std::int64_t channels, float* block,
                  Moments& moments) {
  float *mean = block, *squares = block + channels;
  for (std::int64_t first = begin; first < end; first += block_pixels) {
    const std::int64_t last = std::min(first + block_pixels, end);
    std::fill(block, block + 2 * channels, 0.0F);
    for (std::int64_t i = first; i < last; ++i) accumulate(x + i * channels, mean, channels);
    for (std::int64_t c = 0; c < channels; ++c) mean[c] /= static_cast<float>(last - first);
    for (std::int64_t i = first; i < last; ++i) add_squares(x + i * channels, mean, squares, channels);
    merge(moments.mean, moments.squares, moments.pixels, mean, squares, static_cast<double>(last - first),
          channels);
    moments.pixels += static_cast<double>(last - first);
  }
}

/// How the loops walk x: pixels of few channels lie side by side in a row, so that vectors are full.
struct Rows {
  std::int64_t copies;    ///< pixels of a row
  std::int64_t width;     ///< elements of a row
  std::int64_t channels;  ///< of a pixel
  std::int64_t count;

  explicit Rows(const Shape& x) : copies(1), width(x[4]), channels(x[4]), count(x.count() / x[4]) {
    while (2 * width <= FloatBlock::size && count % 2 == 0) {
      copies *= 2;
      width *= 2;
      count /= 2;
    }
  }

  /// Writes value(c) for each element of a row to `room`, which it returns.
  template <class Value>
  float* fill(float* room, const Value& value) const {
    for (std::int64_t c = 0; c < channels; ++c) room[c] = value(c);
    for (std::int64_t c = channels; c < width; ++c) room[c] = room[c - channels];
    return room;
  }
  const float* fill(float* room, const float* values) const {
    return copies == 1 ? values : fill(room, [=](std::int64_t c) { return values[c]; });
  }
};

/// A batch norm of each channel: y = (x - mean) * factor + shift. That keeps more of small differences of
/// large x than x * factor + offset does.
struct Norm {
  const float *mean, *factor, *shift;

  template <class T>
  [[gnu::always_inline]] float operator()(T x, std::int64_t c) const {
    return (static_cast<float>(x) - mean[c]) * factor[c] + shift[c];
  }
};

/// Rows of channels, as the following loops walk them: body(element, channel).
template <class Body>
[[gnu::always_inline]] inline void for_each_element(std::int64_t pixels, std::int64_t channels,
                                                    const Body& body) {
  for (std::int64_t i = 0; i < pixels; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) body(i * channels + c, c);
  }
}

/// y = norm(x), + residual, max(., 0). residual: null where there is none.
template <class T>
[[gnu::always_inline]] inline void normalize_rows(const T* x, const Norm& norm, const T* residual, bool relu,
                                                  T* y, std::int64_t pixels, std::int64_t channels) {
  const auto normalized = [=](std::int64_t i, std::int64_t c) { return norm(x[i], c); };
  const auto store = [&](const auto& value) {
    if (relu) {
      for_each_element(pixels, channels, [&](std::int64_t i, std::int64_t c) {
        const float sum = value(i, c);
        y[i] = T(sum < 0 ? 0 : sum);
      });
    } else {
      for_each_element(pixels, channels, [&](std::int64_t i, std::int64_t c) { y[i] = T(value(i, c)); });
    }
  };
  if (residual == nullptr) return store(normalized);
  store([=](std::int64_t i, std::int64_t c) { return normalized(i, c) + static_cast<float>(residual[i]); });
}

TPN_VECTORIZE void normalize(const float* x, const Norm& norm, const float* residual, bool relu, float* y,
                             std::int64_t pixels, std::int64_t channels) {
  normalize_rows(x, norm, residual, relu, y, pixels, channels);
}
TPN_VECTORIZE void normalize(const Bf16* x, const Norm& norm, const Bf16* residual, bool relu, Bf16* y,
                             std::int64_t pixels, std::int64_t channels) {
  normalize_rows(x, norm, residual, relu, y, pixels, channels);
}

/// A block of x, and of the gradient of the norm's output: dy; with a ReLU behind the norm, 0 where that gave
/// 0. NaN lets it through.
struct GradientBlock {
  template <class T>
  [[gnu::always_inline]] GradientBlock(const T* dy, const T* from, const Norm* before_relu,
                                       std::int64_t first, std::int64_t count) {
    x.load(from, count);
    gradient.load(dy, count);
    if (before_relu == nullptr) return;
    const Norm norm = *before_relu;
    for (std::int64_t i = 0; i < count; ++i) {
      gradient.values[i] = norm(x.values[i], first + i) <= 0 ? 0 : gradient.values[i];
    }
  }

  FloatBlock x, gradient;
};

/// Adds dy and dy * (x - mean). before_relu: as above.
template <class T>
[[gnu::always_inline]] inline void add_product_rows(const T* dy, const T* x, const float* mean,
                                                    const Norm* before_relu, float* sum, float* products,
                                                    std::int64_t pixels, std::int64_t channels) {
  for_each_block(pixels, channels, [=](std::int64_t at, std::int64_t first, std::int64_t count) {
    const GradientBlock block(dy + at, x + at, before_relu, first, count);
    for (std::int64_t i = 0; i < count; ++i) {
      const float own = block.gradient.values[i];
      sum[first + i] += own;
      products[first + i] += own * (block.x.values[i] - mean[first + i]);
    }
  });
}

TPN_VECTORIZE void add_products(const float* dy, const float* x, const float* mean, const Norm* before_relu,
                                float* sum, float* products, std::int64_t pixels, std::int64_t channels) {
  add_product_rows(dy, x, mean, before_relu, sum, products, pixels, channels);
}
TPN_VECTORIZE void add_products(const Bf16* dy, const Bf16* x, const float* mean, const Norm* before_relu,
                                float* sum, float* products, std::int64_t pixels, std::int64_t channels) {
  add_product_rows(dy, x, mean, before_relu, sum, products, pixels, channels);
}

TPN_VECTORIZE void add_to(const float* from, double* to, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) to[c] += static_cast<double>(from[c]);
}

/// A gradient of each channel: dx = dy * a + (x - mean) * b + c.
struct NormSlopes {
  const float *mean, *a, *b, *c;
};

/// before_relu: as above.
template <class T>
[[gnu::always_inline]] inline void combine_rows(const T* dy, const T* x, const Norm* before_relu,
                                                const NormSlopes& s, T* dx, std::int64_t pixels,
                                                std::int64_t channels) {
  for_each_block(pixels, channels, [=](std::int64_t at, std::int64_t first, std::int64_t count) {
    GradientBlock block(dy + at, x + at, before_relu, first, count);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t c = first + i;
      float& own = block.gradient.values[i];
      own = own * s.a[c] + (block.x.values[i] - s.mean[c]) * s.b[c] + s.c[c];
    }
    block.gradient.store(dx + at, count);
  });
}

TPN_VECTORIZE void combine(const float* dy, const float* x, const Norm* before_relu, const NormSlopes& slopes,
                           float* dx, std::int64_t pixels, std::int64_t channels) {
  combine_rows(dy, x, before_relu, slopes, dx, pixels, channels);
}
TPN_VECTORIZE void combine(const Bf16* dy, const Bf16* x, const Norm* before_relu, const NormSlopes& slopes,
                           Bf16* dx, std::int64_t pixels, std::int64_t channels) {
  combine_rows(dy, x, before_relu, slopes, dx, pixels, channels);
}

/// Sums over all pixels of dy and of dy * (x - mean), per channel: (sum, products). mean: of a row's
/// elements. before_relu: as above.
template <class T>
std::pair<std::vector<double>, std::vector<double>> gradient_sums(const T* dy, const T* x, const float* mean,
                                                                  const Norm* before_relu, const Rows& rows,
                                                                  std::byte* scratch) {
  const std::int64_t width = rows.width;
  auto* sums = reinterpret_cast<double*>(scratch);                       // (sections, 2, row)
  auto* blocks = reinterpret_cast<float*>(sums + sections * 2 * width);  // (sections, 2, row)
  for_each_section(rows.count, [&](std::int64_t s, std::int64_t begin, std::int64_t end) {
    double* total = sums + s * 2 * width;
    float* block = blocks + s * 2 * width;
    std::fill(total, total + 2 * width, 0.0);
    for (std::int64_t first = begin; first < end; first += block_pixels) {
      std::fill(block, block + 2 * width, 0.0F);
      add_products(dy + first * width, x + first * width, mean, before_relu, block, block + width,
                   std::min(block_pixels, end - first), width);
      add_to(block, total, 2 * width);
    }
  });
  const auto of_channels = [&](const double* of_first_section) {
    std::vector<double> total(static_cast<std::size_t>(rows.channels));
    for (std::int64_t s = 0; s < sections; ++s) {
      const double* part = of_first_section + s * 2 * width;
      for (std::int64_t i = 0; i < width; ++i) total[static_cast<std::size_t>(i % rows.channels)] += part[i];
    }
    return total;
  };
  return {of_channels(sums), of_channels(sums + width)};
}

/// room: for three rows.
Norm make_norm(const float* scale, const float* shift, const float* mean, const float* inverse_std,
               const Rows& rows, float* room) {
  return {rows.fill(room, mean),
          rows.fill(room + rows.width, [=](std::int64_t c) { return scale[c] * inverse_std[c]; }),
          rows.fill(room + 2 * rows.width, shift)};
}

/// Calls body(first element, rows) for shares of all rows.
template <class Body>
void for_rows(const Rows& rows, const Body& body) {
  parallel_for(rows.count, elementwise_grain / rows.width + 1,
               [&](std::int64_t begin, std::int64_t end) { body(begin * rows.width, end - begin); });
}

/// y of all pixels. residual: of no data where there is none.
template <class T>
void normalize_all(const ConstTensorView& x, const Norm& norm, const ops::NormEpilogue& epilogue,
                   const ConstTensorView& last, const Rows& rows, const TensorView& y) {
  for_rows(rows, [&](std::int64_t at, std::int64_t count) {
    normalize(elements<T>(x) + at, norm, epilogue.residual ? elements<T>(last) + at : nullptr, epilogue.relu,
              elements<T>(y) + at, count, rows.width);
  });
}

std::size_t section_scratch(const Rows& rows) {
  return static_cast<std::size_t>(sections * 2 * rows.width) * (sizeof(double) + sizeof(float));
}

/// Bytes of so many rows of f32.
std::size_t row_bytes(const Rows& rows, std::int64_t count) {
  return static_cast<std::size_t>(count * rows.width) * sizeof(float);
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNormTraining& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        section_scratch(rows),
        [op, rows](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
          const std::int64_t channels = rows.channels, width = rows.width;
          const T* x = elements<T>(in[0]);
          auto* moments = reinterpret_cast<double*>(scratch);                       // (sections, 2, row)
          auto* blocks = reinterpret_cast<float*>(moments + sections * 2 * width);  // (sections, 2, row)
          std::fill(moments, moments + sections * 2 * width, 0.0);
          for_each_section(rows.count, [&](std::int64_t i, std::int64_t begin, std::int64_t end) {
            Moments own{moments + i * 2 * width, moments + (i * 2 + 1) * width};
            take_moments(x, begin, end, width, blocks + i * 2 * width, own);
          });
          double *means = moments, *squares = moments + width, taken = 0;
          for (std::int64_t i = 0; i < sections; ++i) {  // the first takes in the others
            const std::int64_t first = rows.count * i / sections, last = rows.count * (i + 1) / sections;
            const auto own = static_cast<double>(last - first);
            if (i > 0 && own > 0) {
              merge(means, squares, taken, means + i * 2 * width, squares + i * 2 * width, own, width);
            }
            taken += own;
          }
          for (std::int64_t i = 1; i < rows.copies; ++i) {  // the same of a row's pixels
            merge(means, squares, static_cast<double>(i) * taken, means + i * channels,
                  squares + i * channels, taken, channels);
          }

          float *mean = elements<float>(out[1]), *inverse = elements<float>(out[2]);
          float *running_mean = elements<float>(out[3]), *running_variance = elements<float>(out[4]);
          const float *old_mean = elements<float>(in[3]), *old_variance = elements<float>(in[4]);
          const double count = taken * static_cast<double>(rows.copies);
          for (std::int64_t c = 0; c < channels; ++c) {
            mean[c] = static_cast<float>(means[c]);
            inverse[c] = static_cast<float>(1 / std::sqrt(squares[c] / count + op.eps));
            const auto moved = [&](float old, double now) {
              return static_cast<float>((1 - op.momentum) * static_cast<double>(old) + op.momentum * now);
            };
            running_mean[c] = moved(old_mean[c], means[c]);
            running_variance[c] = moved(old_variance[c], squares[c] / (count - 1));
          }
          *elements<std::int64_t>(out[5]) = *elements<std::int64_t>(in[5]) + 1;
          const Norm norm =
              make_norm(elements<float>(in[1]), elements<float>(in[2]), mean, inverse, rows, blocks);
          normalize_all<T>(in[0], norm, op.epilogue, in.back(), rows, out[0]);
        });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormApply& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        row_bytes(rows, 3),
        [op, rows](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
          const auto channel = [&](std::size_t i) { return elements<float>(in[i]); };
          const Norm norm = make_norm(channel(1), channel(2), channel(3), channel(4), rows,
                                      reinterpret_cast<float*>(scratch));
          normalize_all<T>(in[0], norm, op.epilogue, in.back(), rows, out[0]);
        });
  });
}

/// dx = scale * inverse_std * (dy - dshift / n - xhat * dscale / n) with xhat = (x - mean) * inverse_std.
std::unique_ptr<Kernel> compile(const ops::BatchNormGradient& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  const std::size_t sums_bytes = section_scratch(rows);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        sums_bytes + row_bytes(rows, 3),
        [op, rows, sums_bytes](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                               std::byte* scratch) {
          const T *dy = elements<T>(in[0]), *x = elements<T>(in[1]);
          const float *scale = elements<float>(in[2]), *mean = elements<float>(in[3]),
                      *inverse = elements<float>(in[4]);
          auto* room = reinterpret_cast<float*>(scratch + sums_bytes);
          const float* means = rows.fill(room, mean);
          Norm norm{};
          if (op.relu) norm = make_norm(scale, elements<float>(in[5]), mean, inverse, rows, room);
          const Norm* const before_relu = op.relu ? &norm : nullptr;
          const auto [sum, products] = gradient_sums(dy, x, means, before_relu, rows, scratch);
          const auto count = static_cast<double>(rows.count * rows.copies);
          auto* a = reinterpret_cast<float*>(scratch);  // the sums are done with
          float *b = a + rows.width, *c = b + rows.width;
          for (std::int64_t i = 0; i < rows.width; ++i) {
            const std::int64_t channel = i % rows.channels;
            const double total = sum[static_cast<std::size_t>(channel)],
                         product = products[static_cast<std::size_t>(channel)];
            const auto deviation = static_cast<double>(inverse[channel]);
            const double factor = static_cast<double>(scale[channel]) * deviation;
            elements<float>(out[1])[channel] = static_cast<float>(product * deviation);
            elements<float>(out[2])[channel] = static_cast<float>(total);
            a[i] = static_cast<float>(factor);
            b[i] = static_cast<float>(-factor * deviation * deviation * product / count);
            c[i] = static_cast<float>(-factor * total / count);
          }
          T* dx = elements<T>(out[0]);
          for_rows(rows, [&](std::int64_t at, std::int64_t share) {
            combine(dy + at, x + at, before_relu, {means, a, b, c}, dx + at, share, rows.width);
          });
        },
        0);
  });
}

std::unique_ptr<Kernel> compile(const ops::FrozenBatchNormGradient& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  const std::size_t sums_bytes = section_scratch(rows);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        sums_bytes + row_bytes(rows, 1),
        [op, rows, sums_bytes](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                               std::byte* scratch) {
          const T* dy = elements<T>(in[0]);
          const float* means =
              rows.fill(reinterpret_cast<float*>(scratch + sums_bytes), elements<float>(in[3]));
          const auto [sum, products] = gradient_sums(dy, elements<T>(in[1]), means, nullptr, rows, scratch);
          auto* factor = reinterpret_cast<float*>(scratch);  // the sums are done with
          float* zero = factor + rows.width;
          for (std::int64_t i = 0; i < rows.width; ++i) {
            const std::int64_t c = i % rows.channels;
            const double inverse = 1 / std::sqrt(static_cast<double>(elements<float>(in[4])[c]) + op.eps);
            factor[i] = static_cast<float>(static_cast<double>(elements<float>(in[2])[c]) * inverse);
            zero[i] = 0;
            elements<float>(out[1])[c] = static_cast<float>(products[static_cast<std::size_t>(c)] * inverse);
            elements<float>(out[2])[c] = static_cast<float>(sum[static_cast<std::size_t>(c)]);
          }
          T* dx = elements<T>(out[0]);
          for_rows(rows, [&](std::int64_t at, std::int64_t share) {
            for (std::int64_t row = 0; row < share; ++row) {
              const std::int64_t from = at + row * rows.width;
              scale_and_shift(dy + from, factor, zero, dx + from, rows.width);
            }
          });
        },
        0);
  });
}

}  // namespace tpn::cpu
