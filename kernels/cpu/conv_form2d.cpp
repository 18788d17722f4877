#include "kernels/cpu/conv_form2d.h"

#include <string>

namespace tpn::cpu {
namespace {

/// Reads the weight (O,I,kt,kh,kw) as (G, O/G, I, rows, columns), `step` elements between consecutive input
/// channels.
StoredWeight stored_weight(std::int64_t groups, const Shape& weight, std::int64_t rows, std::int64_t columns,
                           std::int64_t step) {
  const std::int64_t out = weight[0] / groups, in = weight[1];
  if (groups == 1) return {{out, in, rows, columns}, {in * step, step, columns, 1}};
  return {{groups, out, in, rows, columns}, {out * in * step, in * step, step, columns, 1}};
}

}  // namespace

ConvForm2d conv_form2d(const ops::Conv3d& conv, const Shape& x, const Shape& weight, const Shape& y) {
  const auto [kt, kh, kw] = ops::Conv3d::kernel(weight);
  const auto [st, sh, sw] = conv.stride;
  const auto [pt, ph, pw] = conv.padding;
  const std::int64_t taps = kt * kh * kw;
  const bool pointwise = kh == 1 && kw == 1 && sh == 1 && sw == 1 && ph == 0 && pw == 0;
  // A single frame meets a single tap, the one under it: the others fall on padding.
  const bool single_frame = x[1] == 1 && y[1] == 1;
  if (pointwise && st == 1 && (kt == 1 || single_frame)) {  // all pixels as one row
    const std::int64_t pixels = x[0] * x[1] * x[2] * x[3];
    return {{1, x[4], 1, pixels},
            {1, y[4], 1, pixels},
            {1, 1},
            {0, 0},
            stored_weight(conv.groups, weight, 1, 1, taps),
            pt};
  }
  if (kt == 1 && st == 1 && pt == 0) {  // N*T images
    return {{x[0] * x[1], x[4], x[2], x[3]},
            {y[0] * y[1], y[4], y[2], y[3]},
            {sh, sw},
            {ph, pw},
            stored_weight(conv.groups, weight, kh, kw, taps)};
  }
  if (pointwise) {  // images of T rows and H*W columns
    return {{x[0], x[4], x[1], x[2] * x[3]},
            {y[0], y[4], y[1], y[2] * y[3]},
            {st, 1},
            {pt, 0},
            stored_weight(conv.groups, weight, kt, 1, taps)};
  }
  throw Error("The CPU runs convolutions over space or over time, not over both at once: the kernel is (" +
              std::to_string(kt) + ", " + std::to_string(kh) + ", " + std::to_string(kw) + ") with stride " +
              std::to_string(st) + " in time.");
}

}  // namespace tpn::cpu
