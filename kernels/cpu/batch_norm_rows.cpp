#include "kernels/cpu/batch_norm_rows.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/pixel_rows.h"
#include "kernels/cpu/sections.h"
#include "kernels/cpu/vectorize.h"

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

}  // namespace

std::size_t section_scratch(const Rows& rows) {
  return static_cast<std::size_t>(sections * 2 * rows.width) * (sizeof(double) + sizeof(float));
}

float* section_room(std::byte* scratch, const Rows& rows) {
  return reinterpret_cast<float*>(reinterpret_cast<double*>(scratch) + sections * 2 * rows.width);
}

std::size_t row_bytes(const Rows& rows, std::int64_t count) {
  return static_cast<std::size_t>(count * rows.width) * sizeof(float);
}

void merge_moments(Moments& moments, const float* more_mean, const float* more_squares, double more_pixels,
                   std::int64_t channels) {
  merge(moments.mean, moments.squares, moments.pixels, more_mean, more_squares, more_pixels, channels);
  moments.pixels += more_pixels;
}

template <class T>
Moments batch_moments(const T* x, const Rows& rows, std::byte* scratch) {
  const std::int64_t channels = rows.channels, width = rows.width;
  auto* moments = reinterpret_cast<double*>(scratch);  // (sections, 2, row)
  float* blocks = section_room(scratch, rows);         // (sections, 2, row)
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
    merge(means, squares, static_cast<double>(i) * taken, means + i * channels, squares + i * channels, taken,
          channels);
  }
  return {means, squares, taken * static_cast<double>(rows.copies)};
}

template <class T>
void finish_batch_norm(const ops::BatchNormTraining& op, const Moments& moments, const Rows& rows,
                       std::span<const ConstTensorView> in, const ConstTensorView& residual,
                       std::span<const TensorView> out, float* room) {
  float *mean = elements<float>(out[1]), *inverse = elements<float>(out[2]);
  float *running_mean = elements<float>(out[3]), *running_variance = elements<float>(out[4]);
  const float *old_mean = elements<float>(in[3]), *old_variance = elements<float>(in[4]);
  const double count = moments.pixels;
  for (std::int64_t c = 0; c < rows.channels; ++c) {
    mean[c] = static_cast<float>(moments.mean[c]);
    inverse[c] = static_cast<float>(1 / std::sqrt(moments.squares[c] / count + op.eps));
    const auto moved = [&](float old, double now) {
      return static_cast<float>((1 - op.momentum) * static_cast<double>(old) + op.momentum * now);
    };
    running_mean[c] = moved(old_mean[c], moments.mean[c]);
    running_variance[c] = moved(old_variance[c], moments.squares[c] / (count - 1));
  }
  *elements<std::int64_t>(out[5]) = *elements<std::int64_t>(in[5]) + 1;
  const Norm norm = make_norm(elements<float>(in[1]), elements<float>(in[2]), mean, inverse, rows, room);
  normalize_all<T>(in[0], norm, op.epilogue, residual, rows, out[0]);
}

Norm make_norm(const float* scale, const float* shift, const float* mean, const float* inverse_std,
               const Rows& rows, float* room) {
  return {rows.fill(room, mean),
          rows.fill(room + rows.width, [=](std::int64_t c) { return scale[c] * inverse_std[c]; }),
          rows.fill(room + 2 * rows.width, shift)};
}

NormGradient make_norm_gradient(const float* scale, const float* shift, const float* mean,
                                const float* inverse_std, const Rows& rows, float* room) {
  if (shift == nullptr) return {{rows.fill(room, mean), nullptr, nullptr}};
  return {make_norm(scale, shift, mean, inverse_std, rows, room)};
}

template <class T>
void normalize_all(const ConstTensorView& x, const Norm& norm, const ops::NormEpilogue& epilogue,
                   const ConstTensorView& last, const Rows& rows, const TensorView& y) {
  for_rows(rows, [&](std::int64_t at, std::int64_t count) {
    normalize(elements<T>(x) + at, norm, epilogue.residual ? elements<T>(last) + at : nullptr, epilogue.relu,
              elements<T>(y) + at, count, rows.width);
  });
}

template <class T>
std::pair<std::vector<double>, std::vector<double>> gradient_sums(const T* dy, const T* x,
                                                                  const NormGradient& gradient,
                                                                  const Rows& rows, std::byte* scratch) {
  const float* mean = gradient.norm.mean;
  const Norm* before_relu = gradient.before_relu();
  const std::int64_t width = rows.width;
  auto* sums = reinterpret_cast<double*>(scratch);  // (sections, 2, row)
  float* blocks = section_room(scratch, rows);      // (sections, 2, row)
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

void NormSlopes::set(std::int64_t i, float scale, float inverse_std, double sum, double product,
                     double pixels) const {
  const auto deviation = static_cast<double>(inverse_std);
  const double factor = static_cast<double>(scale) * deviation;
  a[i] = static_cast<float>(factor);
  b[i] = static_cast<float>(-factor * deviation * deviation * product / pixels);
  c[i] = static_cast<float>(-factor * sum / pixels);
}

template <class T>
void combine_all(const T* dy, const T* x, const NormGradient& gradient, const NormSlopes& slopes,
                 const Rows& rows, T* dx) {
  for_rows(rows, [&](std::int64_t at, std::int64_t share) {
    combine(dy + at, x + at, gradient.before_relu(), slopes, dx + at, share, rows.width);
  });
}

template Moments batch_moments(const float*, const Rows&, std::byte*);
template void finish_batch_norm<float>(const ops::BatchNormTraining&, const Moments&, const Rows&,
                                       std::span<const ConstTensorView>, const ConstTensorView&,
                                       std::span<const TensorView>, float*);
template void normalize_all<float>(const ConstTensorView&, const Norm&, const ops::NormEpilogue&,
                                   const ConstTensorView&, const Rows&, const TensorView&);
template std::pair<std::vector<double>, std::vector<double>> gradient_sums(const float*, const float*,
                                                                           const NormGradient&, const Rows&,
                                                                           std::byte*);
template void combine_all(const float*, const float*, const NormGradient&, const NormSlopes&, const Rows&,
                          float*);
template Moments batch_moments(const Bf16*, const Rows&, std::byte*);
template void finish_batch_norm<Bf16>(const ops::BatchNormTraining&, const Moments&, const Rows&,
                                      std::span<const ConstTensorView>, const ConstTensorView&,
                                      std::span<const TensorView>, float*);
template void normalize_all<Bf16>(const ConstTensorView&, const Norm&, const ops::NormEpilogue&,
                                  const ConstTensorView&, const Rows&, const TensorView&);
template std::pair<std::vector<double>, std::vector<double>> gradient_sums(const Bf16*, const Bf16*,
                                                                           const NormGradient&, const Rows&,
                                                                           std::byte*);
template void combine_all(const Bf16*, const Bf16*, const NormGradient&, const NormSlopes&, const Rows&,
                          Bf16*);

}  // namespace tpn::cpu
