// Batch norm with the statistics of the batch, and its gradients: two passes over x, channels innermost.
#include "kernels/ops/batch_norm_training.h"

#include <cmath>

#include "kernels/cpu/batch_norm_rows.h"
#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/pixel_rows.h"
#include "kernels/ops/batch_norm.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::BatchNormTraining& op, const Signature& s) {
  const Rows rows(s.inputs[0].shape);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return scratch_kernel(
        section_scratch(rows),
        [op, rows](std::span<const ConstTensorView> in, std::span<const TensorView> out, std::byte* scratch) {
          finish_batch_norm<T>(op, batch_moments(elements<T>(in[0]), rows, scratch), rows, in, in.back(), out,
                               section_room(scratch, rows));
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
          const float *scale = elements<float>(in[2]), *inverse = elements<float>(in[4]);
          const NormGradient gradient =
              make_norm_gradient(scale, op.relu ? elements<float>(in[5]) : nullptr, elements<float>(in[3]),
                                 inverse, rows, reinterpret_cast<float*>(scratch + sums_bytes));
          const auto [sum, products] = gradient_sums(dy, x, gradient, rows, scratch);
          const auto count = static_cast<double>(rows.count * rows.copies);
          const NormSlopes slopes(gradient, rows,
                                  reinterpret_cast<float*>(scratch));  // the sums are done with
          for (std::int64_t i = 0; i < rows.width; ++i) {
            const std::int64_t c = i % rows.channels;
            const double total = sum[static_cast<std::size_t>(c)],
                         product = products[static_cast<std::size_t>(c)];
            elements<float>(out[1])[c] = static_cast<float>(product * static_cast<double>(inverse[c]));
            elements<float>(out[2])[c] = static_cast<float>(total);
            slopes.set(i, scale[c], inverse[c], total, product, count);
          }
          combine_all(dy, x, gradient, slopes, rows, elements<T>(out[0]));
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
          const NormGradient gradient =
              make_norm_gradient(nullptr, nullptr, elements<float>(in[3]), nullptr, rows,
                                 reinterpret_cast<float*>(scratch + sums_bytes));
          const auto [sum, products] = gradient_sums(dy, elements<T>(in[1]), gradient, rows, scratch);
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
