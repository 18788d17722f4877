#include "kernels/ops/max_pool3d.h"

#include <algorithm>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

/// Whether x takes the place of the maximum: NaN does, and stays. Without a branch.
inline bool takes(float x, float maximum) {
  return (x > maximum) | (x != x);  // NOLINT(misc-redundant-expression)
}

TPN_VECTORIZE void take_max(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = takes(x[i], y[i]) ? x[i] : y[i];
}

TPN_VECTORIZE void take_max(const Bf16* x, Bf16* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i].bits = takes(static_cast<float>(x[i]), static_cast<float>(y[i])) ? x[i].bits : y[i].bits;
  }
}

/// The same, noting the place in the window of what is taken.
TPN_VECTORIZE void take_max(const float* x, std::uint8_t place, float* y, std::uint8_t* places,
                            std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const bool taken = takes(x[i], y[i]);
    y[i] = taken ? x[i] : y[i];
    places[i] = taken ? place : places[i];
  }
}

TPN_VECTORIZE void take_max(const Bf16* x, std::uint8_t place, Bf16* y, std::uint8_t* places,
                            std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const bool taken = takes(static_cast<float>(x[i]), static_cast<float>(y[i]));
    y[i].bits = taken ? x[i].bits : y[i].bits;
    places[i] = taken ? place : places[i];
  }
}

/// Cells of one axis under a window.
struct Span {
  std::int64_t begin, end;
};

Span window(const ops::MaxPool3d& op, std::size_t axis, std::int64_t at, std::int64_t length) {
  const std::int64_t begin = at * op.stride[axis] - op.padding[axis];
  return {std::max<std::int64_t>(begin, 0), std::min(begin + op.kernel[axis], length)};
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::MaxPool3d& op, const Signature& s) {
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    return loop_kernel([op](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
      const Shape &x = in[0].shape, &y = out[0].shape;  // (N,T,H,W,C)
      const std::int64_t channels = x[4];
      parallel_for(y[0] * y[1] * y[2], 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {  // of (n, t, h)
          const std::int64_t n = row / y[2] / y[1];
          const Span ts = window(op, 0, row / y[2] % y[1], x[1]), hs = window(op, 1, row % y[2], x[2]);
          for (std::int64_t w = 0; w < y[3]; ++w) {
            const std::int64_t at = (row * y[3] + w) * channels;
            T* to = elements<T>(out[0]) + at;
            std::uint8_t* places = op.keep_places ? elements<std::uint8_t>(out[1]) + at : nullptr;
            const Span ws = window(op, 2, w, x[3]);
            bool first = true;
            for (std::int64_t a = ts.begin; a < ts.end; ++a)
              for (std::int64_t b = hs.begin; b < hs.end; ++b)
                for (std::int64_t c = ws.begin; c < ws.end; ++c) {
                  const T* from = elements<T>(in[0]) + (((n * x[1] + a) * x[2] + b) * x[3] + c) * channels;
                  const auto place = static_cast<std::uint8_t>(
                      op.place_in_window({a, b, c}, {row / y[2] % y[1], row % y[2], w}));
                  if (first) {
                    std::copy(from, from + channels, to);
                    if (places != nullptr) std::fill(places, places + channels, place);
                    first = false;
                  } else if (places != nullptr) {
                    take_max(from, place, to, places, channels);
                  } else {
                    take_max(from, to, channels);
                  }
                }
          }
        }
      });
    });
  });
}

}  // namespace tpn::cpu
