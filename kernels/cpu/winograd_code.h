// The steps of winograd.h for vectors of one size. Included by one source for each instruction set, which is
// compiled for that set: nothing here may be shared with code that older processors run, so that all
// functions are templates over the set and nothing else is included.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_filters.h"

// Code between the constants of filters and registers has to vanish.
#define TPN_INLINE __attribute__((always_inline))

namespace tpn::cpu {

template <class Body, int... I>
TPN_INLINE inline void call_each(const Body& body, std::integer_sequence<int, I...>) {
  (body(std::integral_constant<int, I>{}), ...);
}

/// Calls body(0), body(1), ... body(Count - 1), each with a constant.
template <class Isa, int Count, class Body>
TPN_INLINE inline void unrolled(const Body& body) {
  call_each(body, std::make_integer_sequence<int, Count>{});
}

/// What is the same for every kind of words in AVX-512. 26 of 32 registers hold sums. Blocks of 13 rows are
/// left nearly full by 64, 128, 256... rows.
struct Avx512Registers {
  using Bits = std::uint32_t __attribute__((vector_size(64)));
  using Half = std::uint16_t __attribute__((vector_size(32)));
  static constexpr int width = 16, rows = 13, vectors = 2;
};

/// Words that are elements of f32.
template <class Vector>
struct F32Words {
  using Float = Vector;
  using Longest = FourOutputs;
  static constexpr int channels = 1;

  static TPN_INLINE Float pack(const Float* element, std::int64_t) { return *element; }
  static TPN_INLINE Float multiply_add(const Float& sum, float left, const Float& right) {
    return sum + left * right;
  }
};

/// A product of matrices, with sums in registers. Isa: the vector `Float` of `width` elements or words;
/// `rows` and `vectors` of sums; `channels` that a word holds, how words are packed and multiplied, and the
/// longest filter whose transforms they can hold; for elements of bf16 the vectors `Bits` of 32 and `Half` of
/// 16 bits too.
template <class Isa>
struct WinogradProduct {
  using Float = typename Isa::Float;
  static constexpr std::int64_t width = Isa::width, rows = Isa::rows, vectors = Isa::vectors,
                                panel = width * vectors, slice = WinogradCode::slice;

  static TPN_INLINE Float load(const float* from) {
    Float value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
  }
  static TPN_INLINE void store(float* to, const Float& value) { __builtin_memcpy(to, &value, sizeof value); }

  /// Elements of bf16, as their bits.
  static TPN_INLINE Float load(const std::uint16_t* from) {
    typename Isa::Half half;
    __builtin_memcpy(&half, from, sizeof half);
    return __builtin_bit_cast(Float, __builtin_convertvector(half, typename Isa::Bits) << 16U);
  }
  /// Rounds to the nearest, ties to even; NaN stays NaN.
  static TPN_INLINE void store(std::uint16_t* to, const Float& value) {
    const auto bits = __builtin_bit_cast(typename Isa::Bits, value);
    const auto rounded = bits + 0x7fffU + (bits >> 16U & 1U), quiet = bits | 0x400000U;
    const auto kept = (bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded;
    const auto half = __builtin_convertvector(kept >> 16U, typename Isa::Half);
    __builtin_memcpy(to, &half, sizeof half);
  }

  static void multiply(const float* v, const float* u, float* sums, std::int64_t depth, bool add,
                       const float* next) {
    Float sum[rows * vectors];
    unrolled<Isa, rows * vectors>([&](auto i) TPN_INLINE {
      sum[i] = Float{};
      __builtin_prefetch(sums + i * width, 1, 3);
    });
    for (std::int64_t k = 0; k < depth; k += slice, v += rows * slice) {
      for (std::int64_t i = 0; i < slice; ++i, u += panel, next += rows) {
        __builtin_prefetch(next, 0, 2);
        Float right[vectors];
        unrolled<Isa, vectors>([&](auto c) TPN_INLINE { right[c] = load(u + c * width); });
        unrolled<Isa, rows>([&](auto r) TPN_INLINE {
          const float left = v[r * slice + i];
          unrolled<Isa, vectors>([&](auto c) TPN_INLINE {
            sum[r * vectors + c] = Isa::multiply_add(sum[r * vectors + c], left, right[c]);
          });
        });
      }
    }
    unrolled<Isa, rows * vectors>(
        [&](auto i) TPN_INLINE { store(sums + i * width, add ? sum[i] + load(sums + i * width) : sum[i]); });
  }
};

/// Element: of activations and weights.
template <class Isa, class Element, class Down, class Across>
struct WinogradSteps {
  using Product = WinogradProduct<Isa>;
  using Float = typename Isa::Float;
  static constexpr std::int64_t width = Product::width, rows = Product::rows, panel = Product::panel,
                                slice = Product::slice;
  static constexpr int channels_per_word = Isa::channels;
  static constexpr int points = Down::points * Across::points, taps = Down::taps * Across::taps,
                       span = Down::span * Across::span, outputs = Down::outputs * Across::outputs;

  /// row * x, without the operations that constants make needless.
  template <int Terms>
  static TPN_INLINE Float combine(const float (&row)[Terms], const Float* x) {
    Float sum{};
    bool is_first = true;
    unrolled<Isa, Terms>([&](auto i) TPN_INLINE {
      if (row[i] == 0) return;
      if (is_first) {
        sum = row[i] == 1 ? x[i] : row[i] == -1 ? -x[i] : x[i] * row[i];
      } else {
        sum = row[i] == 1 ? sum + x[i] : row[i] == -1 ? sum - x[i] : sum + x[i] * row[i];
      }
      is_first = false;
    });
    return sum;
  }

  /// z (R1,R2) = first (R1,C1) * x (C1,C2) * transposed second (R2,C2).
  template <int R1, int C1, int R2, int C2>
  static TPN_INLINE void transform(const float (&first)[R1][C1], const float (&second)[R2][C2],
                                   const Float* x, Float* z) {
    Float half[R1 * C2];
    unrolled<Isa, C2>([&](auto j) TPN_INLINE {
      Float column[C1];
      unrolled<Isa, C1>([&](auto i) TPN_INLINE { column[i] = x[i * C2 + j]; });
      unrolled<Isa, R1>([&](auto i) TPN_INLINE { half[i * C2 + j] = combine(first[i], column); });
    });
    unrolled<Isa, R1>([&](auto i) TPN_INLINE {
      unrolled<Isa, R2>([&](auto j) TPN_INLINE { z[i * R2 + j] = combine(second[j], half + i * C2); });
    });
  }

  /// The place of a row's tile.
  struct Tile {
    Tile(const WinogradLayer& layer, std::int64_t row)
        : image(row / layer.tiles_across / layer.tiles_down),
          down(row / layer.tiles_across % layer.tiles_down),
          across(row % layer.tiles_across) {}

    /// Goes on to the next row's, without a division.
    void advance(const WinogradLayer& layer) {
      if (++across < layer.tiles_across) return;
      across = 0;
      if (++down < layer.tiles_down) return;
      down = 0;
      ++image;
    }

    std::int64_t image, down, across;
  };

  static void transform_inputs(const WinogradLayer& layer, const void* source, const void* zeros,
                               std::int64_t first, std::int64_t begin, std::int64_t end, std::int64_t blocks,
                               float* v) {
    const auto* x = static_cast<const Element*>(source);
    const std::int64_t slices = layer.channels / slice / channels_per_word, all = layer.rows();
    Tile tile(layer, first + begin * rows);
    for (std::int64_t row = begin * rows; row < end * rows; ++row, tile.advance(layer)) {
      const Element* from[span];
      const std::int64_t top = tile.down * Down::outputs * Down::stride - layer.pad_height,
                         left = tile.across * Across::outputs * Across::stride - layer.pad_width;
      for (std::int64_t i = 0; i < Down::span; ++i)
        for (std::int64_t j = 0; j < Across::span; ++j) {
          const std::int64_t h = top + i, w = left + j;
          const bool inside = first + row < all && h >= 0 && h < layer.height && w >= 0 && w < layer.width;
          from[i * Across::span + j] =
              inside ? x + ((tile.image * layer.height + h) * layer.width + w) * layer.channels
                     : static_cast<const Element*>(zeros);
        }
      float* to = v + (row / rows * slices * rows + row % rows) * slice;
      for (std::int64_t channel = 0; channel < layer.channels;
           channel += slice * channels_per_word, to += rows * slice) {
        for (std::int64_t part = 0; part < slice; part += width) {
          Float z[channels_per_word * points];
          unrolled<Isa, channels_per_word>([&](auto c) TPN_INLINE {
            Float d[span];
            unrolled<Isa, span>(
                [&](auto i) TPN_INLINE { d[i] = Product::load(from[i] + channel + c * slice + part); });
            transform(Down::b, Across::b, d, z + c * points);
          });
          unrolled<Isa, points>([&](auto p) TPN_INLINE {
            Product::store(to + p * blocks * slices * rows * slice + part, Isa::pack(z + p, points));
          });
        }
      }
    }
  }

  static void transform_weights(const void* source, std::int64_t count, float* u) {
    const auto* weight = static_cast<const Element*>(source);
    const std::int64_t words = count / channels_per_word;
    for (std::int64_t word = 0; word < words; ++word) {
      // The first channel of the word; others are a slice further.
      const std::int64_t channel = word / slice * slice * channels_per_word + word % slice;
      for (std::int64_t part = 0; part < panel; part += width) {
        Float z[channels_per_word * points];
        unrolled<Isa, channels_per_word>([&](auto c) TPN_INLINE {
          Float g[taps];
          unrolled<Isa, taps>([&](auto i) TPN_INLINE {
            g[i] = Product::load(weight + ((channel + c * slice) * taps + i) * panel + part);
          });
          transform(Down::g, Across::g, g, z + c * points);
        });
        unrolled<Isa, points>([&](auto p) TPN_INLINE {
          Product::store(u + (p * words + word) * panel + part, Isa::pack(z + p, points));
        });
      }
    }
  }

  static void finish(const WinogradLayer& layer, const float* sums, std::int64_t first, std::int64_t last,
                     std::int64_t blocks, std::int64_t panel_number, const WinogradEpilogue& epilogue,
                     void* target) {
    auto* y = static_cast<Element*>(target);
    const auto* residual = static_cast<const Element*>(epilogue.residual);
    Tile tile(layer, first);
    for (std::int64_t row = first; row < last; ++row, tile.advance(layer)) {
      const std::int64_t top = tile.down * Down::outputs, left = tile.across * Across::outputs;
      for (std::int64_t part = 0; part < panel; part += width) {
        const std::int64_t output = panel_number * panel + part;
        const Float bias = epilogue.bias != nullptr ? Product::load(epilogue.bias + output) : Float{};
        Float s[points], z[outputs];
        unrolled<Isa, points>([&](auto p) TPN_INLINE {
          s[p] = Product::load(sums + (p * blocks * rows + row - first) * panel + part);
        });
        transform(Down::a, Across::a, s, z);
        unrolled<Isa, outputs>([&](auto i) TPN_INLINE {
          const std::int64_t h = top + i / Across::outputs, w = left + i % Across::outputs;
          if (h >= layer.out_height || w >= layer.out_width) return;
          const std::int64_t place =
              ((tile.image * layer.out_height + h) * layer.out_width + w) * layer.outputs + output;
          Float value = z[i] + bias;
          if (residual != nullptr) value += Product::load(residual + place);
          if (epilogue.relu) value = value < 0 ? Float{} : value;  // NaN stays
          Product::store(y + place, value);
        });
      }
    }
  }

  static constexpr WinogradCode code(const char* name) {
    return {.name = name,
            .rows_per_block = rows,
            .outputs_per_panel = panel,
            .channels_per_word = channels_per_word,
            .points = points,
            .taps = taps,
            .tile_height = Down::outputs,
            .tile_width = Across::outputs,
            .transform_inputs = transform_inputs,
            .transform_weights = transform_weights,
            .multiply = Product::multiply,
            .finish = finish};
  }
};

/// Isa::names: of the algorithms, in the order of their enumeration.
template <class Isa, class Element>
const WinogradCode& winograd_code(WinogradAlgorithm algorithm) {
  using Longest = typename Isa::Longest;
  static constexpr WinogradCode codes[] = {
      WinogradSteps<Isa, Element, Longest, OneTap<1>>::code(Isa::names[0]),
      WinogradSteps<Isa, Element, Longest, TwoOutputs>::code(Isa::names[1]),
      WinogradSteps<Isa, Element, EverySecond, EverySecond>::code(Isa::names[2]),
      WinogradSteps<Isa, Element, OneTap<1>, OneTap<1>>::code(Isa::names[3]),
      WinogradSteps<Isa, Element, OneTap<2>, OneTap<2>>::code(Isa::names[4])};
  return codes[static_cast<int>(algorithm)];
}

}  // namespace tpn::cpu
