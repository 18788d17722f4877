// Loops of batch norms with the statistics of a batch, over rows of pixels, channels innermost: moments,
// normalisation, and the sums and slopes of gradients. T: float or Bf16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/cpu/float_block.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/half.h"
#include "kernels/ops/batch_norm_training.h"
#include "kernels/tensor.h"

namespace tpn::cpu {

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

/// Bytes of scratch memory for sums over sections of the pixels.
std::size_t section_scratch(const Rows& rows);
/// What of that memory holds no sums in double: room for many rows of f32.
float* section_room(std::byte* scratch, const Rows& rows);
/// Bytes of so many rows of f32.
std::size_t row_bytes(const Rows& rows, std::int64_t count);

/// Mean and sum of squared distances from it, of so many pixels, per channel.
struct Moments {
  double* mean;
  double* squares;
  double pixels = 0;
};

/// Takes in the moments of further pixels.
void merge_moments(Moments& moments, const float* more_mean, const float* more_squares, double more_pixels,
                   std::int64_t channels);

/// Those of x, in memory of section_scratch() bytes.
template <class T>
Moments batch_moments(const T* x, const Rows& rows, std::byte* scratch);

/// All outputs of ops::BatchNormTraining from the moments of the batch. residual: where there is one. room:
/// for three rows.
template <class T>
void finish_batch_norm(const ops::BatchNormTraining& op, const Moments& moments, const Rows& rows,
                       std::span<const ConstTensorView> in, const ConstTensorView& residual,
                       std::span<const TensorView> out, float* room);

/// A batch norm of each channel: y = (x - mean) * factor + shift. That keeps more of small differences of
/// large x than x * factor + offset does.
struct Norm {
  const float *mean, *factor, *shift;

  template <class T>
  [[gnu::always_inline]] float operator()(T x, std::int64_t c) const {
    return (static_cast<float>(x) - mean[c]) * factor[c] + shift[c];
  }
};

/// room: for three rows.
Norm make_norm(const float* scale, const float* shift, const float* mean, const float* inverse_std,
               const Rows& rows, float* room);

/// y of all pixels. residual: of no data where there is none.
template <class T>
void normalize_all(const ConstTensorView& x, const Norm& norm, const ops::NormEpilogue& epilogue,
                   const ConstTensorView& residual, const Rows& rows, const TensorView& y);

/// What the gradient of a batch norm's output goes through on its way to x.
struct NormGradient {
  Norm norm{};  ///< without a ReLU behind it, its mean alone

  /// The norm whose output a ReLU cut; null where there is none.
  [[nodiscard]] const Norm* before_relu() const { return norm.factor != nullptr ? &norm : nullptr; }
};

/// shift: null where no ReLU is behind the norm. room: for three rows, or one.
NormGradient make_norm_gradient(const float* scale, const float* shift, const float* mean,
                                const float* inverse_std, const Rows& rows, float* room);

/// Sums over all pixels of dy and of dy * (x - mean), per channel: (sum, products). scratch:
/// section_scratch() bytes.
template <class T>
std::pair<std::vector<double>, std::vector<double>> gradient_sums(const T* dy, const T* x,
                                                                  const NormGradient& gradient,
                                                                  const Rows& rows, std::byte* scratch);

/// A gradient of each channel: dx = dy * a + (x - mean) * b + c.
struct NormSlopes {
  const float* mean;
  float *a, *b, *c;

  /// room: for three rows.
  NormSlopes(const NormGradient& gradient, const Rows& rows, float* room)
      : mean(gradient.norm.mean), a(room), b(room + rows.width), c(room + 2 * rows.width) {}

  /// Of an element of a row, from the sums over all `pixels` of dy and of dy * (x - mean).
  void set(std::int64_t i, float scale, float inverse_std, double sum, double product, double pixels) const;
};

/// dx of all pixels.
template <class T>
void combine_all(const T* dy, const T* x, const NormGradient& gradient, const NormSlopes& slopes,
                 const Rows& rows, T* dx);

/// Calls body(first element, rows) for shares of all rows.
template <class Body>
void for_rows(const Rows& rows, const Body& body) {
  parallel_for(rows.count, elementwise_grain / rows.width + 1,
               [&](std::int64_t begin, std::int64_t end) { body(begin * rows.width, end - begin); });
}

}  // namespace tpn::cpu
