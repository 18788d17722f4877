// Boxes, phase barriers and products of warp groups: values, in every build.
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/hopper_kernels.h"
#include "tests/cuda_on_cpu/tensor_map_maker.h"

namespace tpn::cuda_on_cpu {
namespace {

using test::BoxPlace;
using test::HopperBug;
using test::make_map;
using test::MapSpec;
using test::start;

std::vector<std::uint32_t> run_copy(const MapSpec& spec, const BoxPlace& place, std::size_t words) {
  const DeviceVector<std::uint32_t> out(words);
  const bool flat = spec.extents.size() == 2;
  EXPECT_EQ(start("copy_box", flat ? test::copy_box_2d : test::copy_box_5d, {dim3(1), dim3(32), 4 * words},
                  make_map(spec), place, static_cast<int>(words), out.data(), nullptr),
            cudaSuccess);
  return out.to_host();
}

/// Words that tell their place: 1, 2, ...
DeviceVector<std::uint32_t> numbered(std::size_t count) {
  std::vector<std::uint32_t> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::uint32_t>(i + 1);
  return DeviceVector<std::uint32_t>(values);
}

TEST(BoxCopy, FillsWithZerosOnEverySide) {
  constexpr int rows = 10;
  constexpr int columns = 24;
  constexpr int box_rows = 6;
  constexpr int box_columns = 16;
  const DeviceVector<std::uint32_t> tensor = numbered(std::size_t{rows} * 32);
  const MapSpec spec{
      CU_TENSOR_MAP_DATA_TYPE_UINT32, tensor.data(), {columns, rows}, {128}, {box_columns, box_rows}};
  for (const int row : {-7, -6, -2, 0, 3, 4, 7, 9, 10, 50}) {
    for (const int column : {-17, -16, -3, 0, 5, 8, 11, 23, 24, 100}) {
      const std::vector<std::uint32_t> found =
          run_copy(spec, {{column, row}}, std::size_t{box_rows} * box_columns);
      for (int y = 0; y < box_rows; ++y) {
        for (int x = 0; x < box_columns; ++x) {
          const bool inside = row + y >= 0 && row + y < rows && column + x >= 0 && column + x < columns;
          ASSERT_EQ(found[static_cast<std::size_t>(y * box_columns + x)],
                    inside ? static_cast<std::uint32_t>((row + y) * 32 + column + x + 1) : 0U)
              << row << " " << column << " " << y << " " << x;
        }
      }
    }
  }
}

// 5 dimensions, as of activations (C, W, H, T, N), with steps of 1, 2, 2, 1 and 3 positions.
TEST(BoxCopy, StepsOverPositions) {
  const std::vector<cuuint64_t> extents{8, 7, 6, 5, 4};
  const std::vector<cuuint32_t> steps{1, 2, 2, 1, 3};
  const std::vector<cuuint32_t> box{8, 6, 4, 3, 6};  // 3, 2, 3 and 2 positions
  const std::vector<int> counts{8, 3, 2, 3, 2};
  std::vector<cuuint64_t> strides;
  for (cuuint64_t bytes = 32, i = 0; i < 4; ++i, bytes *= extents[i]) strides.push_back(bytes);
  const DeviceVector<std::uint32_t> tensor = numbered(std::size_t{8} * 7 * 6 * 5 * 4);
  const MapSpec spec{CU_TENSOR_MAP_DATA_TYPE_FLOAT32, tensor.data(), extents, strides, box, steps};
  for (const BoxPlace& place :
       {BoxPlace{{0, 0, 0, 0, 0}}, BoxPlace{{0, -1, -1, -1, 0}}, BoxPlace{{0, -2, 3, 4, 2}},
        BoxPlace{{0, 4, -3, 0, -3}}, BoxPlace{{4, 1, 1, 1, 1}}}) {
    const std::vector<std::uint32_t> found = run_copy(spec, place, std::size_t{8} * 3 * 2 * 3 * 2);
    for (std::size_t i = 0; i < found.size(); ++i) {
      std::size_t rest = i;
      bool inside = true;
      std::int64_t offset = 0;
      std::int64_t stride = 1;
      for (std::size_t d = 0; d < 5; ++d) {
        const auto count = static_cast<std::size_t>(counts[d]);
        const std::int64_t at = place.at[d] + static_cast<std::int64_t>(rest % count * steps[d]);
        rest /= count;
        inside &= at >= 0 && at < static_cast<std::int64_t>(extents[d]);
        offset += at * stride;
        stride *= static_cast<std::int64_t>(extents[d]);
      }
      ASSERT_EQ(found[i], inside ? static_cast<std::uint32_t>(offset + 1) : 0U) << i;
    }
  }
}

TEST(BoxCopy, SwizzlesChunksOf16Bytes) {
  constexpr std::size_t rows = 24;
  const DeviceVector<std::uint32_t> tensor = numbered(rows * 32);
  const MapSpec spec{CU_TENSOR_MAP_DATA_TYPE_UINT32, tensor.data(), {32, rows}, {128}, {32, rows}, {},
                     CU_TENSOR_MAP_SWIZZLE_128B};
  const std::vector<std::uint32_t> found = run_copy(spec, {{0, 0}}, rows * 32);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t word = 0; word < 32; ++word) {
      ASSERT_EQ(found[row * 32 + (word / 4 ^ row % 8) * 4 + word % 4], row * 32 + word + 1);
    }
  }
}

#ifndef CUDA_ON_CPU_RACE
TEST(BoxCopy, LeavesNanUntilItHasEnded) {
  const DeviceVector<std::uint32_t> tensor = numbered(64);
  const DeviceVector<std::uint32_t> out(64);
  const DeviceVector<std::uint32_t> before(64);
  const MapSpec spec{CU_TENSOR_MAP_DATA_TYPE_UINT32, tensor.data(), {8, 8}, {32}, {8, 8}};
  ASSERT_EQ(start("copy_box", test::copy_box_2d, {dim3(1), dim3(32), 256}, make_map(spec), BoxPlace{}, 64,
                  out.data(), before.data()),
            cudaSuccess);
  EXPECT_EQ(before.to_host(), std::vector<std::uint32_t>(64, 0xffffffffU));
  EXPECT_EQ(out.to_host(), tensor.to_host());
}
#endif

TEST(BoxCopy, FromAnotherDeviceIsNamed) {
  const DeviceVector<std::uint32_t> tensor = numbered(64);
  const MapSpec spec{CU_TENSOR_MAP_DATA_TYPE_UINT32, tensor.data(), {8, 8}, {32}, {8, 8}};
  set_device_count(2);
  cudaSetDevice(1);
  EXPECT_EQ(run_copy(spec, {{0, 0}}, 64).size(), 64U);
  cudaSetDevice(0);
  set_device_count(1);
  const std::vector<Finding> findings = take_findings();
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].kind, FindingKind::other_device_access);
  EXPECT_EQ(findings[0].kernel, "copy_box");
}

TEST(TensorMap, ObeysTheDocumentedLimits) {
  const DeviceVector<std::uint32_t> tensor(1024);
  const MapSpec good{
      CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, tensor.data(), {64, 8, 2}, {128, 1024}, {64, 8, 1}, {1, 1, 1}};
  CUtensorMap map;
  const auto answer = [&](const auto& change) {
    MapSpec spec = good;
    change(spec);
    return test::encode(spec, map);
  };
  EXPECT_EQ(answer([](MapSpec&) {}), CUDA_SUCCESS);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.swizzle = CU_TENSOR_MAP_SWIZZLE_128B; }), CUDA_SUCCESS);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.extents[2] = cuuint64_t{1} << 32; }), CUDA_SUCCESS);
  EXPECT_EQ(answer([](MapSpec& spec) {
              spec.steps = {3, 4, 8};
              spec.box[2] = 16;
            }),
            CUDA_SUCCESS);

  EXPECT_EQ(answer([](MapSpec& spec) { spec.address = static_cast<char*>(spec.address) + 8; }),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.address = nullptr; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.extents[1] = 0; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.extents[1] = (cuuint64_t{1} << 32) + 1; }),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.strides[0] = 136; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.strides[1] = cuuint64_t{1} << 40; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.strides = {160, 1280}; }), CUDA_SUCCESS);  // with padding
  EXPECT_EQ(answer([](MapSpec& spec) { spec.strides = {160, 1440}; }), CUDA_SUCCESS);  // of both
  EXPECT_EQ(answer([](MapSpec& spec) { spec.strides[0] = 112; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.strides[1] = 1040; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.strides[1] = 896; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.steps[1] = 3; }), CUDA_ERROR_INVALID_VALUE);  // of a box of 8
  EXPECT_EQ(answer([](MapSpec& spec) { spec.box[1] = 0; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.box[1] = 257; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.box[0] = 4; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.steps[1] = 0; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.steps[1] = 9; }), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) {
              spec.swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
              spec.box[0] = 72;
            }),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) {
              spec.extents.assign(6, 1);
              spec.strides.assign(5, 16);
              spec.box.assign(6, 1);
              spec.steps.assign(6, 1);
            }),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.extents.clear(); }), CUDA_ERROR_INVALID_VALUE);

  EXPECT_EQ(answer([](MapSpec& spec) { spec.swizzle = CU_TENSOR_MAP_SWIZZLE_64B; }),
            CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.interleave = CU_TENSOR_MAP_INTERLEAVE_16B; }),
            CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(answer([](MapSpec& spec) { spec.fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA; }),
            CUDA_ERROR_NOT_SUPPORTED);
}

TEST(DriverFunctions, AreFoundByNameAndVersion) {
  void* function = &function;
  cudaDriverEntryPointQueryResult result{};
  EXPECT_EQ(cudaGetDriverEntryPointByVersion("cuNothing", &function, 12000, cudaEnableDefault, &result),
            cudaSuccess);
  EXPECT_EQ(function, nullptr);
  EXPECT_EQ(result, cudaDriverEntryPointSymbolNotFound);
  EXPECT_EQ(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 11080, cudaEnableDefault,
                                             &result),
            cudaSuccess);
  EXPECT_EQ(function, nullptr);
  EXPECT_EQ(result, cudaDriverEntryPointVersionNotSufficent);
}

TEST(PhaseBarriers, PassByParity) {
  const DeviceVector<int> passed(std::vector<int>(4));
  ASSERT_EQ(start("phase_parities", test::phase_parities, {dim3(1), dim3(1)}, passed.data()), cudaSuccess);
  EXPECT_EQ(passed.to_host(), std::vector<int>(4, 1));
}

TEST(PhaseBarriers, OrderWhatThreadsWrite) {
  constexpr int threads = 96;
  constexpr int rounds = 5;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    set_seed(seed);
    const DeviceVector<int> out(std::size_t{threads});
    ASSERT_EQ(start("exchange", test::exchange_in_phases, {dim3(1), dim3(threads)}, out.data(), rounds),
              cudaSuccess);
    const std::vector<int> found = out.to_host();
    for (int i = 0; i < threads; ++i) {
      ASSERT_EQ(found[static_cast<std::size_t>(i)], 10000 + rounds * ((i + 1) % threads));
    }
  }
  set_seed(1);
}

template <class T>
struct Matrices {
  std::size_t rows;
  std::size_t columns;
  std::size_t depth;
  std::vector<T> a;
  std::vector<T> b;

  Matrices(std::size_t m, std::size_t n, std::size_t k) : rows(m), columns(n), depth(k), a(m * k), b(n * k) {
    std::mt19937 random(5);  // NOLINT(cert-msc51-cpp): the same in every run
    std::uniform_int_distribution<int> values(-3, 3);
    for (T& value : a) value = T(static_cast<float>(values(random)));
    for (T& value : b) value = T(static_cast<float>(values(random)));
  }

  /// The elements of a matrix (rows x depth) as (depth x rows).
  [[nodiscard]] std::vector<T> transposed(const std::vector<T>& matrix) const {
    std::vector<T> result(matrix.size());
    const std::size_t matrix_rows = matrix.size() / depth;
    for (std::size_t i = 0; i < matrix.size(); ++i) result[i % depth * matrix_rows + i / depth] = matrix[i];
    return result;
  }

  /// Sums of whole numbers: exact.
  [[nodiscard]] std::vector<float> product(float first) const {
    std::vector<float> c(rows * columns, first);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        for (std::size_t k = 0; k < depth; ++k) {
          c[i * columns + j] += static_cast<float>(a[i * depth + k]) * static_cast<float>(b[j * depth + k]);
        }
      }
    }
    return c;
  }
};

template <class T>
class GroupProduct : public testing::Test {};
using Types = testing::Types<Bf16, F16>;
TYPED_TEST_SUITE(GroupProduct, Types);

TYPED_TEST(GroupProduct, MatchesPlainLoopsAndIsNanUntilTheWait) {
  constexpr bool bf16 = std::is_same_v<TypeParam, Bf16>;
  const auto type = bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  for (const int n : {8, 16, 32}) {
    const std::size_t columns = std::size_t{8} * static_cast<std::size_t>(n);
    const Matrices<TypeParam> data(64, columns, 64);
    const DeviceVector<TypeParam> a(data.a);
    const DeviceVector<TypeParam> b(data.b);
    const DeviceVector<float> out(std::vector<float>(64 * columns, 0.5F));
    const DeviceVector<float> before(64 * columns);
    ASSERT_EQ(start("multiply_group", test::multiply_group(bf16, n, false),
                    {dim3(1), dim3(128), (64 + columns) * 128}, test::matrix_map(type, a.data(), 64, 64, 64),
                    test::matrix_map(type, b.data(), columns, 64, columns), out.data(), before.data()),
              cudaSuccess);
    EXPECT_EQ(out.to_host(), data.product(0.5F)) << n;
    for (const float value : before.to_host()) ASSERT_TRUE(std::isnan(value)) << n;
  }
}

TYPED_TEST(GroupProduct, TransposesBothOperands) {
  constexpr bool bf16 = std::is_same_v<TypeParam, Bf16>;
  const auto type = bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  for (const int n : {8, 16, 32}) {
    const std::size_t columns = std::size_t{8} * static_cast<std::size_t>(n);
    const Matrices<TypeParam> data(64, columns, 64);
    const DeviceVector<TypeParam> a(data.transposed(data.a));
    const DeviceVector<TypeParam> b(data.transposed(data.b));
    const DeviceVector<float> out(std::vector<float>(64 * columns, 0.5F));
    float* const nowhere = nullptr;
    ASSERT_EQ(start("multiply_group", test::multiply_group(bf16, n, true),
                    {dim3(1), dim3(128), (64 + columns) * 128}, test::matrix_map(type, a.data(), 64, 64, 64),
                    test::matrix_map(type, b.data(), 64, columns, 64), out.data(), nowhere),
              cudaSuccess);
    EXPECT_EQ(out.to_host(), data.product(0.5F)) << n;
  }
}

TEST(HopperGemm, IsRightAndSilentWithManySeeds) {
  const Matrices<Bf16> data(256, 128, 64 * 8);
  const std::vector<float> expected = data.product(0);
  const DeviceVector<Bf16> a(data.a);
  const DeviceVector<Bf16> b(data.b);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    set_seed(seed);
    const DeviceVector<float> c(data.rows * data.columns);
    ASSERT_EQ(
        start("hopper_gemm", test::hopper_gemm(HopperBug::none),
              {dim3(1, 2), dim3(test::hopper_gemm_threads), test::hopper_gemm_shared_bytes},
              test::matrix_map(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, a.data(), data.rows, data.depth, 128),
              test::matrix_map(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, b.data(), data.columns, data.depth, 128),
              c.data(), static_cast<int>(data.columns), static_cast<int>(data.depth)),
        cudaSuccess);
    ASSERT_EQ(c.to_host(), expected) << seed;
    const std::vector<Finding> findings = take_findings();
    ASSERT_TRUE(findings.empty()) << findings.front().message;
  }
  set_seed(1);
}

}  // namespace
}  // namespace tpn::cuda_on_cpu
