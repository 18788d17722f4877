// Batch norm with the statistics of all ranks' batches, and its gradient: the halves before and behind the
// exchange.
#include "kernels/ops/batch_norm_synchronized.h"

#include <algorithm>
#include <span>

#include "kernels/cpu/batch_norm_rows.h"
#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"

namespace tpn::cpu {
namespace {

/// Row `row` of what each of several ranks gave, added up for a channel. gathered: (ranks * rows, C).
double sum_of_ranks(const ConstTensorView& gathered, std::int64_t rows, std::int64_t row,
                    std::int64_t channel) {
  const std::int64_t channels = gathered.shape[1];
  double sum = 0;
  for (std::int64_t at = row; at < gathered.shape[0]; at += rows) {
    sum += static_cast<double>(elements<float>(gathered)[at * channels + channel]);
  }
  return sum;
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::BatchNormMoments&, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(section_scratch(rows), [rows](std::span<const ConstTensorView> in,
                                                        std::span<const TensorView> out, std::byte* scratch) {
      const Moments moments = batch_moments(elements<T>(in[0]), rows, scratch);
      const auto present = static_cast<double>(*elements<float>(in[1]));
      for (std::int64_t c = 0; c < rows.channels; ++c) {
        elements<float>(out[0])[c] = static_cast<float>(moments.pixels * present);
        elements<float>(out[1])[c] = static_cast<float>(moments.mean[c]);
        elements<float>(out[2])[c] = static_cast<float>(moments.squares[c] * present);
      }
    });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormSynchronized& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        section_scratch(rows),
        [op, rows](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
          const std::int64_t channels = rows.channels;
          const float *rank = elements<float>(in[6]), *end = rank + in[6].shape.count();  // (R, 3, C)
          auto* sums = reinterpret_cast<double*>(scratch);                                // (2, C)
          std::fill(sums, sums + 2 * channels, 0.0);
          Moments moments{sums, sums + channels};
          for (; rank != end; rank += 3 * channels) {
            const auto pixels = static_cast<double>(*rank);  // the same for every channel
            if (pixels > 0) merge_moments(moments, rank + channels, rank + 2 * channels, pixels, channels);
          }
          finish_batch_norm<T>(op.norm, moments, rows, in, in.back(), out, section_room(scratch, rows));
        });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormGradientSums& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  const std::size_t sums_bytes = section_scratch(rows);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        sums_bytes + row_bytes(rows, 3),
        [op, rows, sums_bytes](std::span<const ConstTensorView> in, std::span<const TensorView> out,
                               std::byte* scratch) {
          const float* inverse = elements<float>(in[4]);
          const NormGradient gradient = make_norm_gradient(
              elements<float>(in[2]), op.relu ? elements<float>(in[5]) : nullptr, elements<float>(in[3]),
              inverse, rows, reinterpret_cast<float*>(scratch + sums_bytes));
          const auto [sum, products] =
              gradient_sums(elements<T>(in[0]), elements<T>(in[1]), gradient, rows, scratch);
          for (std::int64_t c = 0; c < rows.channels; ++c) {
            const auto at = static_cast<std::size_t>(c);
            elements<float>(out[0])[c] = static_cast<float>(products[at] * static_cast<double>(inverse[c]));
            elements<float>(out[1])[c] = static_cast<float>(sum[at]);
          }
        });
  });
}

std::unique_ptr<Kernel> compile(const ops::BatchNormGradientSynchronized& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        row_bytes(rows, 6),
        [op, rows](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
          const float *scale = elements<float>(in[2]), *inverse = elements<float>(in[4]);
          const float present = *elements<float>(in[7]);
          auto* room = reinterpret_cast<float*>(scratch);
          const NormGradient gradient = make_norm_gradient(scale, op.relu ? elements<float>(in[8]) : nullptr,
                                                           elements<float>(in[3]), inverse, rows, room);
          const NormSlopes slopes(gradient, rows, room + 3 * rows.width);
          for (std::int64_t i = 0; i < rows.width; ++i) {
            const std::int64_t c = i % rows.channels;
            const double dscale = sum_of_ranks(in[5], 2, 0, c), dshift = sum_of_ranks(in[5], 2, 1, c);
            slopes.set(i, present * scale[c], inverse[c], dshift, dscale / static_cast<double>(inverse[c]),
                       sum_of_ranks(in[6], 3, 0, c));
          }
          combine_all(elements<T>(in[0]), elements<T>(in[1]), gradient, slopes, rows, elements<T>(out[0]));
        },
        0);
  });
}

}  // namespace tpn::cpu
