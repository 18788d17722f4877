#include "kernels/ops/max_pool3d.h"

#include <algorithm>
#include <span>
#include <vector>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/float_block.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

/// Whether x takes the place of the maximum: NaN does, and stays. Without a branch.
inline bool takes(float x, float maximum) {
  return (x > maximum) | (x != x);  // NOLINT(misc-redundant-expression)
}

/// A cell under a window.
template <class T>
struct Cell {
  const T* x;           ///< (C)
  std::uint32_t place;  ///< in the window
};

TPN_VECTORIZE void pool(std::span<const Cell<float>> cells, float* y, std::int64_t channels) {
  std::copy(cells[0].x, cells[0].x + channels, y);
  for (const auto& [x, place] : cells.subspan(1)) {
    for (std::int64_t i = 0; i < channels; ++i) y[i] = takes(x[i], y[i]) ? x[i] : y[i];
  }
}
/// A block of channels, `Part` of them where that is no 0, else `part`: as float_block.h says.
template <bool Places, std::int64_t Part, class T>
[[gnu::always_inline]] inline void pool_block(std::span<const Cell<T>> cells, std::int64_t at,
                                              std::int64_t part, T* y, std::uint8_t* places) {
  const std::int64_t count = Part != 0 ? Part : part;
  FloatBlock best, x, place;
  best.load(cells[0].x + at, count);
  if (Places) std::fill(place.values, place.values + count, static_cast<float>(cells[0].place));
  for (const Cell<T>& cell : cells.subspan(1)) {
    x.load(cell.x + at, count);
    const auto number = static_cast<float>(cell.place);
    for (std::int64_t i = 0; i < count; ++i) {
      const bool taken = takes(x.values[i], best.values[i]);
      best.values[i] = taken ? x.values[i] : best.values[i];
      if (Places) place.values[i] = taken ? number : place.values[i];
    }
  }
  best.store(y + at, count);
  for (std::int64_t i = 0; Places && i < count; ++i) {
    places[at + i] = static_cast<std::uint8_t>(place.values[i]);
  }
}
template <bool Places, class T>
[[gnu::always_inline]] inline void pool_blocks(std::span<const Cell<T>> cells, std::int64_t channels, T* y,
                                               std::uint8_t* places) {
  std::int64_t at = 0;
  for (; at + FloatBlock::size <= channels; at += FloatBlock::size) {
    pool_block<Places, FloatBlock::size>(cells, at, 0, y, places);
  }
  if (at < channels) pool_block<Places, 0>(cells, at, channels - at, y, places);
}

TPN_VECTORIZE void pool(std::span<const Cell<Bf16>> cells, Bf16* y, std::int64_t channels) {
  pool_blocks<false>(cells, channels, y, nullptr);
}
TPN_VECTORIZE void pool(std::span<const Cell<float>> cells, float* y, std::uint8_t* places,
                        std::int64_t channels) {
  pool_blocks<true>(cells, channels, y, places);
}
TPN_VECTORIZE void pool(std::span<const Cell<Bf16>> cells, Bf16* y, std::uint8_t* places,
                        std::int64_t channels) {
  pool_blocks<true>(cells, channels, y, places);
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
        std::vector<Cell<T>> cells;
        for (std::int64_t row = begin; row < end; ++row) {  // of (n, t, h)
          const std::int64_t n = row / y[2] / y[1];
          const Span ts = window(op, 0, row / y[2] % y[1], x[1]), hs = window(op, 1, row % y[2], x[2]);
          for (std::int64_t w = 0; w < y[3]; ++w) {
            const Span ws = window(op, 2, w, x[3]);
            cells.clear();
            for (std::int64_t a = ts.begin; a < ts.end; ++a)
              for (std::int64_t b = hs.begin; b < hs.end; ++b)
                for (std::int64_t c = ws.begin; c < ws.end; ++c) {
                  const T* from = elements<T>(in[0]) + (((n * x[1] + a) * x[2] + b) * x[3] + c) * channels;
                  const std::int64_t place =
                      op.place_in_window({a, b, c}, {row / y[2] % y[1], row % y[2], w});
                  cells.push_back({from, static_cast<std::uint32_t>(place)});
                }
            const std::int64_t at = (row * y[3] + w) * channels;
            T* to = elements<T>(out[0]) + at;
            if (op.keep_places) {
              pool(cells, to, elements<std::uint8_t>(out[1]) + at, channels);
            } else {
              pool(cells, to, channels);
            }
          }
        }
      });
    });
  });
}

}  // namespace tpn::cpu
