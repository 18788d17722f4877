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

/// Sums over all pixels of dy and of dy * (x - mean), per channel: (sum, products). before_relu: as above.
template <class T>
std::pair<std::vector<double>, std::vector<double>> gradient_sums(const T* dy, const T* x, const float* mean,
                                                                  const Norm* before_relu,
                                                                  std::int64_t pixels, std::int64_t channels,
                                                                  std::byte* scratch) {
  const auto width = static_cast<std::size_t>(channels);
  auto* sums = reinterpret_cast<double*>(scratch);                          // (sections, 2, C)
  auto* blocks = reinterpret_cast<float*>(sums + sections * 2 * channels);  // (sections, 2, C)
  for_each_section(pixels, [&](std::int64_t s, std::int64_t begin, std::int64_t end) {
    double* total = sums + s * 2 * channels;
    float* block = blocks + s * 2 * channels;
    std::fill(total, total + 2 * channels, 0.0);
    for (std::int64_t first = begin; first < end; first += block_pixels) {
      std::fill(block, block + 2 * channels, 0.0F);
      add_products(dy + first * channels, x + first * channels, mean, before_relu, block, block + channels,
                   std::min(block_pixels, end - first), channels);
      add_to(block, total, 2 * channels);
    }
  });
  std::vector<double> sum(width), products(width);
  for (std::int64_t s = 0; s < sections; ++s) {
    for (std::size_t c = 0; c < width; ++c) {
      sum[c] += sums[s * 2 * channels + static_cast<std::int64_t>(c)];
      products[c] += sums[(s * 2 + 1) * channels + static_cast<std::int64_t>(c)];
    }
  }
  return {std::move(sum), std::move(products)};
}

/// factors: room for a row of channels.
Norm make_norm(const float* scale, const float* shift, const float* mean, const float* inverse_std,
               float* factors, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) factors[c] = scale[c] * inverse_std[c];
  return {mean, factors, shift};
}

/// y of all pixels. residual: of no data where there is none.
template <class T>
void normalize_all(const ConstTensorView& x, const Norm& norm, const ops::NormEpilogue& epilogue,
                   const ConstTensorView& last, const TensorView& y) {
  const std::int64_t channels = x.shape[4], pixels = x.shape.count() / channels;
  parallel_for(pixels, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * channels;
    normalize(elements<T>(x) + at, norm, epilogue.residual ? elements<T>(last) + at : nullptr, epilogue.relu,
              elements<T>(y) + at, end - begin, channels);
  });
}

std::size_t section_scratch(std::int64_t channels) {
  return static_cast<std::size_t>(sections * 2 * channels) * (sizeof(double) + sizeof(float));
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNormTraining& op, const Signature& s) {
  const std::int64_t channels = s.inputs[0].shape[4];
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        section_scratch(channels), [op, channels](std::span<const ConstTensorView> in,
                                                  std::span<const TensorView> out, std::byte* scratch) {
          const std::int64_t pixels = in[0].shape.count() / channels;
          const T* x = elements<T>(in[0]);
          auto* moments = reinterpret_cast<double*>(scratch);                          // (sections, 2, C)
          auto* blocks = reinterpret_cast<float*>(moments + sections * 2 * channels);  // (sections, 2, C)
          std::fill(moments, moments + sections * 2 * channels, 0.0);
          for_each_section(pixels, [&](std::int64_t i, std::int64_t begin, std::int64_t end) {
            Moments own{moments + i * 2 * channels, moments + (i * 2 + 1) * channels};
            take_moments(x, begin, end, channels, blocks + i * 2 * channels, own);
          });
          double taken = 0;
          for (std::int64_t i = 0; i < sections; ++i) {  // the first takes in the others
            const std::int64_t first = pixels * i / sections, last = pixels * (i + 1) / sections;
            const auto own = static_cast<double>(last - first);
            if (i > 0 && own > 0) {
              merge(moments, moments + channels, taken, moments + i * 2 * channels,
                    moments + (i * 2 + 1) * channels, own, channels);
            }
            taken += own;
          }

          float *mean = elements<float>(out[1]), *inverse = elements<float>(out[2]);
          float *running_mean = elements<float>(out[3]), *running_variance = elements<float>(out[4]);
          const float *old_mean = elements<float>(in[3]), *old_variance = elements<float>(in[4]);
          const auto count = static_cast<double>(pixels);
          for (std::int64_t c = 0; c < channels; ++c) {
            const double squares = moments[channels + c];
            mean[c] = static_cast<float>(moments[c]);
            inverse[c] = static_cast<float>(1 / std::sqrt(squares / count + op.eps));
            const auto moved = [&](float old, double now) {
              return static_cast<float>((1 - op.momentum) * static_cast<double>(old) + op.momentum * now);
            };
            running_mean[c] = moved(old_mean[c], moments[c]);
            running_variance[c] = moved(old_variance[c], squares / (count - 1));
          }
          *elements<std::int64_t>(out[5]) = *elements<std::int64_t>(in[5]) + 1;
          const Norm norm =
              make_norm(elements<float>(in[1]), elements<float>(in[2]), mean, inverse, blocks, channels);
          normalize_all<T>(in[0], norm, op.epilogue, in.back(), out[0]);
        });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormApply& op, const Signature& s) {
  const std::int64_t channels = s.inputs[0].shape[4];
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(static_cast<std::size_t>(channels) * sizeof(float),
                          [op, channels](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                                         std::byte* scratch) {
                            const auto channel = [&](std::size_t i) { return elements<float>(in[i]); };
                            const Norm norm = make_norm(channel(1), channel(2), channel(3), channel(4),
                                                        reinterpret_cast<float*>(scratch), channels);
                            normalize_all<T>(in[0], norm, op.epilogue, in.back(), out[0]);
                          });
  });
}

/// dx = scale * inverse_std * (dy - dshift / n - xhat * dscale / n) with xhat = (x - mean) * inverse_std.
std::unique_ptr<Kernel> compile(const ops::BatchNormGradient& op, const Signature& s) {
  const std::int64_t channels = s.inputs[0].shape[4];
  const std::size_t sums_bytes = section_scratch(channels),
                    rows_bytes = static_cast<std::size_t>(channels) * sizeof(float);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        sums_bytes + rows_bytes,
        [op, channels, sums_bytes](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                                   std::byte* scratch) {
          const T *dy = elements<T>(in[0]), *x = elements<T>(in[1]);
          const float *scale = elements<float>(in[2]), *mean = elements<float>(in[3]),
                      *inverse = elements<float>(in[4]);
          const std::int64_t pixels = in[0].shape.count() / channels;
          Norm norm{};
          if (op.relu) {
            norm = make_norm(scale, elements<float>(in[5]), mean, inverse,
                             reinterpret_cast<float*>(scratch + sums_bytes), channels);
          }
          const Norm* const before_relu = op.relu ? &norm : nullptr;
          const auto [sum, products] = gradient_sums(dy, x, mean, before_relu, pixels, channels, scratch);
          const auto count = static_cast<double>(pixels);
          auto* a = reinterpret_cast<float*>(scratch);  // the sums are done with
          float *b = a + channels, *c = b + channels;
          for (std::int64_t i = 0; i < channels; ++i) {
            const double total = sum[static_cast<std::size_t>(i)],
                         product = products[static_cast<std::size_t>(i)];
            const auto deviation = static_cast<double>(inverse[i]);
            const double factor = static_cast<double>(scale[i]) * deviation;
            elements<float>(out[1])[i] = static_cast<float>(product * deviation);
            elements<float>(out[2])[i] = static_cast<float>(total);
            a[i] = static_cast<float>(factor);
            b[i] = static_cast<float>(-factor * deviation * deviation * product / count);
            c[i] = static_cast<float>(-factor * total / count);
          }
          T* dx = elements<T>(out[0]);
          parallel_for(pixels, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
            const std::int64_t at = begin * channels;
            combine(dy + at, x + at, before_relu, {mean, a, b, c}, dx + at, end - begin, channels);
          });
        },
        0);
  });
}

std::unique_ptr<Kernel> compile(const ops::FrozenBatchNormGradient& op, const Signature& s) {
  const std::int64_t channels = s.inputs[0].shape[4];
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        section_scratch(channels),
        [op, channels](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                       std::byte* scratch) {
          const T* dy = elements<T>(in[0]);
          const std::int64_t pixels = in[0].shape.count() / channels;
          const auto [sum, products] = gradient_sums(dy, elements<T>(in[1]), elements<float>(in[3]), nullptr,
                                                     pixels, channels, scratch);
          auto* factor = reinterpret_cast<float*>(scratch);  // the sums are done with
          float* zero = factor + channels;
          for (std::int64_t c = 0; c < channels; ++c) {
            const double inverse = 1 / std::sqrt(static_cast<double>(elements<float>(in[4])[c]) + op.eps);
            factor[c] = static_cast<float>(static_cast<double>(elements<float>(in[2])[c]) * inverse);
            zero[c] = 0;
            elements<float>(out[1])[c] = static_cast<float>(products[static_cast<std::size_t>(c)] * inverse);
            elements<float>(out[2])[c] = static_cast<float>(sum[static_cast<std::size_t>(c)]);
          }
          T* dx = elements<T>(out[0]);
          parallel_for(pixels, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
              scale_and_shift(dy + i * channels, factor, zero, dx + i * channels, channels);
            }
          });
        },
        0);
  });
}

}  // namespace tpn::cpu
