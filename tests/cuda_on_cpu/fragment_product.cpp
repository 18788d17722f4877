// Compiled once for each instruction set, with TPN_ISA (sse2 or avx2) and TPN_VECTOR (floats in a
// vector). It includes nothing with inline functions of common linkage: the linker could keep the copy that
// old machines do not understand.
//
// A lane's sums lie together as [m][n][row half][2 columns], which is also how they are computed: four sums
// need two elements of A (a row of each half) and two of B. Both operands are first expanded to f32 such that
// every four sums find their four factors side by side:
//   a: [m][row 0-7][k][4]        rows r, r, r + 8, r + 8
//   b: [column pair q][k][n][4]  columns 2 q, 2 q + 1, 2 q, 2 q + 1
// so that sums are read and written where they lie, in vectors.
#include "tests/cuda_on_cpu/fragment_product.h"

#include <cstddef>

namespace tpn::cuda_on_cpu::TPN_ISA {

namespace {

using Index = std::ptrdiff_t;

constexpr Index vector_floats = TPN_VECTOR;

using Four = float __attribute__((vector_size(16)));

/// A vector at any address.
template <class Vector>
struct __attribute__((packed, may_alias)) Anywhere {
  Vector value;
};
template <class Vector>
Vector load(const float* from) {
  return reinterpret_cast<const Anywhere<Vector>*>(from)->value;
}
template <class Vector>
void store(float* to, const Vector& value) {
  reinterpret_cast<Anywhere<Vector>*>(to)->value = value;
}

template <Index Floats>
struct Vec;
template <>
struct Vec<4> {
  using Type = Four;
  static Type repeat(Four x) { return x; }
};
template <>
struct Vec<8> {
  using Type = float __attribute__((vector_size(32)));
  static Type repeat(Four x) { return __builtin_shufflevector(x, x, 0, 1, 2, 3, 0, 1, 2, 3); }
};
float from_bits(std::uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}

template <Operand Type>
float element(std::uint32_t bits);
template <>
float element<Operand::bf16>(std::uint32_t bits) {
  return from_bits(bits << 16);
}
template <>
float element<Operand::f16>(std::uint32_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t magnitude = (bits & 0x7fffU) << 13;
  // The product moves the exponent to f32's and makes subnormals normal.
  const auto scaled = __builtin_bit_cast(std::uint32_t, from_bits(magnitude) * 0x1p112F);
  return from_bits(sign | (magnitude >= 0x0f800000U ? magnitude | 0x7f800000U : scaled));
}

/// Calls store(k, value) for the elements in a register whose first element has depth `k`.
template <Operand Type, class Store>
void unpack(std::uint32_t bits, Index k, const Store& store) {
  if constexpr (Type == Operand::tf32) {
    store(k, from_bits(bits & 0xffffe000U));
  } else {
    store(k, element<Type>(bits & 0xffffU));
    store(k + 1, element<Type>(bits >> 16));
  }
}

template <Operand Type>
constexpr Index depth = Type == Operand::tf32 ? 8 : 16;

template <Operand Type>
void expand(const FragmentProduct& product, float* a, float* b) {
  constexpr Index elements = depth<Type> / 8;  // in a register
  for (Index lane = 0; lane < 32; ++lane) {
    const Index row = lane / 4;
    const Index k = lane % 4 * elements;
    for (Index m = 0; m < product.m; ++m) {
      const std::uint32_t* registers = product.a[static_cast<unsigned>(lane)] + 4 * m;
      float* row_start = a + (m * 8 + row) * depth<Type> * 4;
      for (Index i = 0; i < 4; ++i) {
        unpack<Type>(registers[i], k + (i / 2) * (depth<Type> / 2), [&](Index at, float value) {
          row_start[at * 4 + i % 2 * 2] = value;
          row_start[at * 4 + i % 2 * 2 + 1] = value;
        });
      }
    }
    const Index column = lane / 4;
    for (Index n = 0; n < product.n; ++n) {
      const std::uint32_t* registers = product.b[static_cast<unsigned>(lane)] + 2 * n;
      for (Index i = 0; i < 2; ++i) {
        unpack<Type>(registers[i], k + i * (depth<Type> / 2), [&](Index at, float value) {
          float* place = b + (((column / 2) * depth<Type> + at) * product.n + n) * 4 + column % 2;
          place[0] = value;
          place[2] = value;
        });
      }
    }
  }
}

/// Rows of sums m to m + Rows - 1, Vectors * Floats of their 4 n floats each.
/// sum: at (m, first float); a: [Rows][8 rows][k][4] at the row; b: [k][4 n] at the first float.
template <Index K, Index Floats, Index Rows, Index Vectors>
void multiply(float* sum, const float* a, const float* b, Index row_floats) {
  using V = Vec<Floats>;
  typename V::Type sums[Rows][Vectors];
#pragma GCC unroll 8
  for (Index i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
    for (Index j = 0; j < Vectors; ++j) {
      sums[i][j] = load<typename V::Type>(sum + i * row_floats + j * Floats);
    }
  }
  for (Index k = 0; k < K; ++k) {
    typename V::Type factors[Vectors];
#pragma GCC unroll 8
    for (Index j = 0; j < Vectors; ++j) {
      factors[j] = load<typename V::Type>(b + k * row_floats + j * Floats);
    }
#pragma GCC unroll 8
    for (Index i = 0; i < Rows; ++i) {
      const auto row = V::repeat(load<Four>(a + (i * 8 * K + k) * 4));
#pragma GCC unroll 8
      for (Index j = 0; j < Vectors; ++j) sums[i][j] += row * factors[j];
    }
  }
#pragma GCC unroll 8
  for (Index i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
    for (Index j = 0; j < Vectors; ++j) {
      store(sum + i * row_floats + j * Floats, sums[i][j]);
    }
  }
}

template <Index K, Index Rows>
void multiply_rows(float* sum, const float* a, const float* b, Index row_floats) {
  Index first = 0;
  for (; first + 2 * vector_floats <= row_floats; first += 2 * vector_floats) {
    multiply<K, vector_floats, Rows, 2>(sum + first, a, b + first, row_floats);
  }
  for (; first + vector_floats <= row_floats; first += vector_floats) {
    multiply<K, vector_floats, Rows, 1>(sum + first, a, b + first, row_floats);
  }
  for (; first < row_floats; first += 4) multiply<K, 4, Rows, 1>(sum + first, a, b + first, row_floats);
}

template <Operand Type>
void run_type(const FragmentProduct& product) {
  constexpr Index k_count = depth<Type>;
  constexpr Index tiles = max_tiles;
  alignas(64) static thread_local float a[tiles * 8 * k_count * 4];
  alignas(64) static thread_local float b[4 * k_count * tiles * 4];
  expand<Type>(product, a, b);
  const Index row_floats = Index{product.n} * 4;
  for (Index lane = 0; lane < 32; ++lane) {
    float* sum = product.sum[static_cast<unsigned>(lane)];
    const float* a_row = a + lane / 4 * k_count * 4;
    const float* b_columns = b + lane % 4 * k_count * row_floats;
    Index m = 0;
    for (; m + 4 <= product.m; m += 4) {
      multiply_rows<k_count, 4>(sum + m * row_floats, a_row + m * 8 * k_count * 4, b_columns, row_floats);
    }
    for (; m < product.m; ++m) {
      multiply_rows<k_count, 1>(sum + m * row_floats, a_row + m * 8 * k_count * 4, b_columns, row_floats);
    }
  }
}

/// Elements as f32.
template <Operand Type>
void convert(const std::uint16_t* from, Index count, float* to) {
  for (Index i = 0; i < count; ++i) to[i] = element<Type>(from[i]);
}

/// Rows of sums by `Rows`, two vectors wide. a: [Rows][depth]; b: [depth][columns] at the first column.
template <Index Rows>
void multiply_tile(float* sum, const float* a, const float* b, Index depth, Index columns) {
  using V = Vec<vector_floats>;
  typename V::Type sums[Rows][2];
#pragma GCC unroll 8
  for (Index i = 0; i < Rows; ++i) {
    sums[i][0] = load<typename V::Type>(sum + i * columns);
    sums[i][1] = load<typename V::Type>(sum + i * columns + vector_floats);
  }
  for (Index k = 0; k < depth; ++k) {
    const auto left = load<typename V::Type>(b + k * columns);
    const auto right = load<typename V::Type>(b + k * columns + vector_floats);
#pragma GCC unroll 8
    for (Index i = 0; i < Rows; ++i) {
      const float factor = a[i * depth + k];
      sums[i][0] += factor * left;
      sums[i][1] += factor * right;
    }
  }
#pragma GCC unroll 8
  for (Index i = 0; i < Rows; ++i) {
    store(sum + i * columns, sums[i][0]);
    store(sum + i * columns + vector_floats, sums[i][1]);
  }
}

template <Operand Type>
void run_type(const TileProduct& product) {
  alignas(64) static thread_local float a[max_rows * max_depth];
  alignas(64) static thread_local float b[max_depth * max_columns];  // [depth][columns]
  const Index depth = product.depth;
  const Index columns = product.columns;
  convert<Type>(product.a, product.rows * depth, a);
  constexpr Index together = 8;
  for (Index column = 0; column < columns; column += together) {
    float rows[together][max_depth];
    for (Index i = 0; i < together; ++i) {
      convert<Type>(product.b + (column + i) * depth, depth, static_cast<float*>(rows[i]));
    }
    for (Index k = 0; k < depth; ++k) {
      for (Index i = 0; i < together; ++i) b[k * columns + column + i] = rows[i][k];
    }
  }
  for (Index column = 0; column < columns; column += 2 * vector_floats) {
    for (Index row = 0; row < product.rows; row += 4) {
      multiply_tile<4>(product.sum + row * columns + column, a + row * depth, b + column, depth, columns);
    }
  }
}

}  // namespace

void run(const TileProduct& product) {
  return product.type == Operand::bf16 ? run_type<Operand::bf16>(product) : run_type<Operand::f16>(product);
}

void run(const FragmentProduct& product) {
  switch (product.type) {
    case Operand::bf16:
      return run_type<Operand::bf16>(product);
    case Operand::f16:
      return run_type<Operand::f16>(product);
    case Operand::tf32:
      return run_type<Operand::tf32>(product);
  }
}

}  // namespace tpn::cuda_on_cpu::TPN_ISA
