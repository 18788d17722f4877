// Asynchronous copies, matrix loads and tensor core products against plain loops.
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/fragment_product.h"
#include "tests/cuda_on_cpu/test_kernels.h"

namespace tpn::cuda_on_cpu {
namespace {

using test::product_m;
using test::product_n;
using test::start;

constexpr std::size_t rows = std::size_t{16} * product_m;
constexpr std::size_t columns = std::size_t{8} * product_n;

template <class T>
struct Depth {
  static constexpr std::size_t value = 16;
};
template <>
struct Depth<float> {
  static constexpr std::size_t value = 8;
};

/// What the tensor core reads of an element.
template <class T>
float operand(T value) {
  return static_cast<float>(value);
}
template <>
float operand(float value) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) &
                              0xffffe000U);  // tf32 has 10 bits of mantissa
}

template <class T>
class Product : public testing::Test {};

using Types = testing::Types<Bf16, F16, float>;
TYPED_TEST_SUITE(Product, Types);

template <class T>
auto kernel_of() {
  if constexpr (std::is_same_v<T, Bf16>)
    return test::multiply_bf16;
  else if constexpr (std::is_same_v<T, F16>)
    return test::multiply_f16;
  else
    return test::multiply_tf32;
}

/// sum + a b^T, in double.
template <class T>
std::vector<double> plain_product(const std::vector<T>& a, const std::vector<T>& b,
                                  const std::vector<float>& sum) {
  constexpr std::size_t depth = Depth<T>::value;
  std::vector<double> result(sum.begin(), sum.end());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t k = 0; k < depth; ++k) {
        result[i * columns + j] += static_cast<double>(operand(a[i * depth + k])) * operand(b[j * depth + k]);
      }
    }
  }
  return result;
}

TYPED_TEST(Product, MatchesPlainLoops) {
  constexpr std::size_t depth = Depth<TypeParam>::value;
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same in every run
  std::normal_distribution<float> values;
  std::vector<TypeParam> a(rows * depth);
  std::vector<TypeParam> b(columns * depth);
  std::vector<float> sum(rows * columns);
  for (TypeParam& value : a) value = TypeParam(values(random));
  for (TypeParam& value : b) value = TypeParam(values(random));
  for (float& value : sum) value = values(random);
  const DeviceVector<TypeParam> device_a(a);
  const DeviceVector<TypeParam> device_b(b);
  const DeviceVector<float> device_sum(sum);
  ASSERT_EQ(
      start("multiply", kernel_of<TypeParam>(), {}, device_a.data(), device_b.data(), device_sum.data()),
      cudaSuccess);
  const std::vector<double> expected = plain_product(a, b, sum);
  const std::vector<float> found = device_sum.to_host();
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-5) << i;
}

// Values of one element at a time, so that nothing is rounded: every finite f16, subnormals included.
TEST(ProductOfF16, KnowsEveryValue) {
  for (std::size_t first = 0; first < 0x10000U; first += rows * 16) {
    std::vector<F16> a(rows * 16);
    for (std::size_t i = 0; i < rows * 16; ++i) {
      a[i].bits = static_cast<std::uint16_t>(first + i);
      if ((a[i].bits & 0x7c00U) == 0x7c00U) a[i].bits = 0;  // infinities and NaN poison their row
    }
    for (std::size_t k = 0; k < 16; k += 8) {
      std::vector<F16> b(columns * 16);
      for (std::size_t j = 0; j < 8; ++j) b[j * 16 + k + j] = F16(1.0F);
      const DeviceVector<F16> device_a(a);
      const DeviceVector<F16> device_b(b);
      const DeviceVector<float> sum(std::vector<float>(rows * columns));
      ASSERT_EQ(start("multiply", test::multiply_f16, {}, device_a.data(), device_b.data(), sum.data()),
                cudaSuccess);
      const std::vector<float> found = sum.to_host();
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < 8; ++j) {
          ASSERT_EQ(found[i * columns + j], f16_to_f32(a[i * 16 + k + j].bits)) << a[i * 16 + k + j].bits;
        }
      }
    }
  }
}

TEST(ProductOfF16, KeepsInfinityAndNan) {
  std::vector<F16> a(rows * 16);
  std::vector<F16> b(columns * 16);
  a[0] = F16(std::numeric_limits<float>::infinity());
  a[16] = F16(std::numeric_limits<float>::quiet_NaN());
  b[0] = F16(-1.0F);
  const DeviceVector<F16> device_a(a);
  const DeviceVector<F16> device_b(b);
  const DeviceVector<float> sum(std::vector<float>(rows * columns));
  ASSERT_EQ(start("multiply", test::multiply_f16, {}, device_a.data(), device_b.data(), sum.data()),
            cudaSuccess);
  const std::vector<float> found = sum.to_host();
  EXPECT_EQ(found[0], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(found[columns]));
  EXPECT_EQ(found[2 * columns], 0.0F);
}

// The same registers give the same sums, up to rounding, with both instruction sets.
TEST(FragmentProducts, AgreeOverInstructionSets) {
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same in every run
  std::uniform_real_distribution<float> values(-1.0F, 1.0F);
  for (const Operand type : {Operand::bf16, Operand::f16, Operand::tf32}) {
    for (const std::size_t m : {1, 2, 4, 5}) {
      for (const std::size_t n : {1, 2, 3, 4, 8, 13}) {
        const auto sums = std::size_t{32} * m * n * 4;
        std::vector<std::uint32_t> a(std::size_t{32} * m * 4);
        std::vector<std::uint32_t> b(std::size_t{32} * n * 2);
        for (auto* registers : {&a, &b}) {
          for (std::uint32_t& bits : *registers) {
            const auto half = [&] {
              const float value = values(random);
              return std::uint32_t{type == Operand::bf16 ? f32_to_bf16(value) : f32_to_f16(value)};
            };
            bits =
                type == Operand::tf32 ? std::bit_cast<std::uint32_t>(values(random)) : half() | half() << 16;
          }
        }
        const auto run = [&](void (*product)(const FragmentProduct&)) {
          std::vector<float> sum(sums, 0.25F);
          FragmentProduct call{type, static_cast<int>(m), static_cast<int>(n), {}, {}, {}};
          for (std::size_t lane = 0; lane < 32; ++lane) {
            call.sum[lane] = sum.data() + lane * sums / 32;
            call.a[lane] = a.data() + lane * a.size() / 32;
            call.b[lane] = b.data() + lane * b.size() / 32;
          }
          product(call);
          return sum;
        };
        const std::vector<float> expected = run(&sse2::run);
        const auto compare = [&](const std::vector<float>& found) {
          for (std::size_t i = 0; i < sums; ++i) ASSERT_NEAR(found[i], expected[i], 4e-6) << m << " " << n;
        };
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) compare(run(&avx2::run));
      }
    }
  }
}

TEST(Matrices, AreDealtToTheLanes) {
  std::vector<std::uint32_t> in(128);
  std::iota(in.begin(), in.end(), 0U);
  const DeviceVector<std::uint32_t> device_in(in);
  const DeviceVector<std::uint32_t> out(128);
  ASSERT_EQ(start("load_matrices", test::load_matrices, {}, device_in.data(), out.data(), false),
            cudaSuccess);
  const std::vector<std::uint32_t> found = out.to_host();
  for (std::uint32_t lane = 0; lane < 32; ++lane) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      EXPECT_EQ(found[4 * lane + i],
                (8 * i + lane / 4) * 4 + lane % 4);  // matrix i, row lane / 4, word lane % 4
    }
  }
  EXPECT_TRUE(take_findings().empty());
}

TEST(Matrices, AreTransposed) {
  std::vector<std::uint32_t> in(128);  // of two elements, each its index
  for (std::uint32_t i = 0; i < 128; ++i) in[i] = 2 * i | (2 * i + 1) << 16;
  const DeviceVector<std::uint32_t> device_in(in);
  const DeviceVector<std::uint32_t> out(128);
  ASSERT_EQ(start("load_matrices", test::load_matrices, {}, device_in.data(), out.data(), true), cudaSuccess);
  const std::vector<std::uint32_t> found = out.to_host();
  for (std::uint32_t lane = 0; lane < 32; ++lane) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint32_t upper = (8 * i + lane % 4 * 2) * 8 + lane / 4;
      EXPECT_EQ(found[4 * lane + i], upper | (upper + 8) << 16);
    }
  }
  EXPECT_TRUE(take_findings().empty());
}

#ifndef CUDA_ON_CPU_RACE
TEST(AsyncCopies, AreDoneAtTheWait) {
  constexpr std::size_t threads = 64;
  constexpr std::ptrdiff_t zeros = 10;
  std::vector<std::uint32_t> in(threads * 4);
  std::iota(in.begin(), in.end(), 1U);
  const DeviceVector<std::uint32_t> device_in(in);
  const DeviceVector<std::uint32_t> out(threads * 4);
  const DeviceVector<std::uint32_t> before(threads);
  ASSERT_EQ(start("copy_through_shared", test::copy_through_shared,
                  {dim3(1), dim3(unsigned{threads}), threads * 32}, device_in.data(), out.data(),
                  before.data(), int{zeros}),
            cudaSuccess);
  std::vector<std::uint32_t> expected = in;
  std::fill(expected.end() - 4 * zeros, expected.end(), 0U);
  EXPECT_EQ(out.to_host(), expected);
  EXPECT_EQ(before.to_host(), std::vector<std::uint32_t>(threads, 0xffffffffU));
  EXPECT_TRUE(take_findings().empty());
}
#endif

}  // namespace
}  // namespace tpn::cuda_on_cpu
