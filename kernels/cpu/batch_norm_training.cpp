// Batch norm with the statistics of the batch: two passes over x, channels innermost.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/compile.h"
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

/// Sums of dy and of dy * (x - mean).
TPN_VECTORIZE void add_products(const float* dy, const float* x, const float* mean, float* sum,
                                float* products, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) {
    sum[c] += dy[c];
    products[c] += dy[c] * (x[c] - mean[c]);
  }
}

TPN_VECTORIZE void add_products(const Bf16* dy, const Bf16* x, const float* mean, float* sum, float* products,
                                std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) {
    const auto gradient = static_cast<float>(dy[c]);
    sum[c] += gradient;
    products[c] += gradient * (static_cast<float>(x[c]) - mean[c]);
  }
}

TPN_VECTORIZE void add_to(const float* from, double* to, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) to[c] += static_cast<double>(from[c]);
}

/// dx = dy * a + x * b + c, per channel.
TPN_VECTORIZE void combine(const float* dy, const float* x, const float* a, const float* b, const float* c,
                           float* dx, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) dx[i] = dy[i] * a[i] + x[i] * b[i] + c[i];
}

TPN_VECTORIZE void combine(const Bf16* dy, const Bf16* x, const float* a, const float* b, const float* c,
                           Bf16* dx, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    dx[i] = Bf16(static_cast<float>(dy[i]) * a[i] + static_cast<float>(x[i]) * b[i] + c[i]);
  }
}

/// Sums over all pixels of dy and of dy * (x - mean), per channel: (sum, products).
template <class T>
std::pair<std::vector<double>, std::vector<double>> gradient_sums(const T* dy, const T* x, const float* mean,
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
      for (std::int64_t i = first; i < std::min(first + block_pixels, end); ++i) {
        add_products(dy + i * channels, x + i * channels, mean, block, block + channels, channels);
      }
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

          const float *scale = elements<float>(in[1]), *shift = elements<float>(in[2]);
          float *mean = elements<float>(out[1]), *inverse = elements<float>(out[2]);
          float *running_mean = elements<float>(out[3]), *running_variance = elements<float>(out[4]);
          const float *old_mean = elements<float>(in[3]), *old_variance = elements<float>(in[4]);
          const auto count = static_cast<double>(pixels);
          float *factor = blocks, *offset = blocks + channels;
          for (std::int64_t c = 0; c < channels; ++c) {
            const double variance = moments[channels + c] / count;
            const double deviation = 1 / std::sqrt(variance + op.eps);
            mean[c] = static_cast<float>(moments[c]);
            inverse[c] = static_cast<float>(deviation);
            factor[c] = static_cast<float>(static_cast<double>(scale[c]) * deviation);
            offset[c] = static_cast<float>(static_cast<double>(shift[c]) -
                                           moments[c] * static_cast<double>(scale[c]) * deviation);
            const auto moved = [&](float old, double now) {
              return static_cast<float>((1 - op.momentum) * static_cast<double>(old) + op.momentum * now);
            };
            running_mean[c] = moved(old_mean[c], moments[c]);
            running_variance[c] = moved(old_variance[c], moments[channels + c] / (count - 1));
          }
          *elements<std::int64_t>(out[5]) = *elements<std::int64_t>(in[5]) + 1;
          T* y = elements<T>(out[0]);
          parallel_for(pixels, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
              scale_and_shift(x + i * channels, factor, offset, y + i * channels, channels);
            }
          });
        });
  });
}

/// With xhat = (x - mean) * inverse_std: dscale = sum(dy * xhat), dshift = sum(dy), and
/// dx = scale * inverse_std * (dy - dshift / n - xhat * dscale / n), a sum of dy, x and a constant.
std::unique_ptr<Kernel> compile(const ops::BatchNormGradient&, const Signature& s) {
  const std::int64_t channels = s.inputs[0].shape[4];
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        section_scratch(channels),
        [channels](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
          const T *dy = elements<T>(in[0]), *x = elements<T>(in[1]);
          const float *scale = elements<float>(in[2]), *mean = elements<float>(in[3]),
                      *inverse = elements<float>(in[4]);
          const std::int64_t pixels = in[0].shape.count() / channels;
          const auto [sum, products] = gradient_sums(dy, x, mean, pixels, channels, scratch);
          auto* a = reinterpret_cast<float*>(scratch);  // the sums are done with
          float *b = a + channels, *c = b + channels;
          for (std::int64_t i = 0; i < channels; ++i) {
            const double total = sum[static_cast<std::size_t>(i)],
                         product = products[static_cast<std::size_t>(i)];
            const auto deviation = static_cast<double>(inverse[i]);
            const double factor = static_cast<double>(scale[i]) * deviation;
            const double slope = -factor * deviation * deviation * product / static_cast<double>(pixels);
            elements<float>(out[1])[i] = static_cast<float>(product * deviation);
            elements<float>(out[2])[i] = static_cast<float>(total);
            a[i] = static_cast<float>(factor);
            b[i] = static_cast<float>(slope);
            c[i] = static_cast<float>(-factor * total / static_cast<double>(pixels) -
                                      slope * static_cast<double>(mean[i]));
          }
          T* dx = elements<T>(out[0]);
          parallel_for(pixels, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
              combine(dy + i * channels, x + i * channels, a, b, c, dx + i * channels, channels);
            }
          });
        });
  });
}

std::unique_ptr<Kernel> compile(const ops::FrozenBatchNormGradient& op, const Signature& s) {
  const std::int64_t channels = s.inputs[0].shape[4];
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        section_scratch(channels), [op, channels](std::span<const ConstTensorView> in,
                                                  std::span<const TensorView> out, std::byte* scratch) {
          const T* dy = elements<T>(in[0]);
          const std::int64_t pixels = in[0].shape.count() / channels;
          const auto [sum, products] =
              gradient_sums(dy, elements<T>(in[1]), elements<float>(in[3]), pixels, channels, scratch);
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
        });
  });
}

}  // namespace tpn::cpu
