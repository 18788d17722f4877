// Convolutions with fewer products than taps: on the shapes that plans give to them small ones are computed
// directly, so that here they are asked for.
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/winograd_conv3d.h"
#include "kernels/cpu/winograd_filters.h"
#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"

namespace tpn {
namespace {

using cpu::WinogradAlgorithm;
using verify::BoundCase;
using verify::relative_l2;
using Case = ops::Case<ops::FusedConv3d>;

const ops::Conv3d over_time{.padding = {1, 0, 0}}, over_space{.padding = {0, 1, 1}},
    halving{.stride = {1, 2, 2}, .padding = {0, 1, 1}};

const CpuBackend& backend() {
  static const CpuBackend two_threads(2);
  return two_threads;
}

bool has_wide_vectors() {
  return backend().libraries().find("(avx512_core") != std::string::npos;
}
bool has_vectors() {
  return has_wide_vectors() || backend().libraries().find("(avx2") != std::string::npos;
}

Case make_case(const std::string& label, const ops::FusedConv3d& op, const Shape& x, const Shape& w) {
  using R = ops::Range;
  Case c{label, op, {activation(x), weight(w)}, {R::symmetric, R::symmetric}};
  if (op.norm) {
    c.inputs.insert(c.inputs.end(), 4, per_channel(w[0]));
    c.ranges.insert(c.ranges.end(), {R::positive, R::symmetric, R::symmetric, R::positive});
  }
  if (op.residual) c.inputs.push_back(activation(op.conv.output(x, w)));
  return c;
}

std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) {
  const auto& fused = std::get<ops::FusedConv3d>(op);
  const std::optional<WinogradAlgorithm> found = cpu::find_winograd(fused, signature);
  if (!found) throw Error("There is no such algorithm.");
  return cpu::compile_winograd(*found, fused, signature);
}

BoundCase bind(const Case& c, std::int64_t nan_at = -1) {
  backend().enter_thread();
  return {c, backend(), {.nan_at = nan_at, .compile = compile}};
}

/// Tiles that are cut off at the right and below, images smaller than a tile, channels and outputs of one and
/// of several slices and panels, rows that fill blocks and do not, every epilogue.
std::vector<Case> small_cases() {
  return {
      make_case("time", {.conv = over_time}, {1, 8, 4, 4, 64}, {64, 64, 3, 1, 1}),
      make_case("time_tails", {.conv = over_time, .norm = true}, {2, 5, 3, 5, 48}, {32, 48, 3, 1, 1}),
      make_case("time_two_frames", {.conv = over_time, .relu = true}, {1, 2, 1, 3, 16}, {96, 16, 3, 1, 1}),
      make_case("time_valid", {.conv = {}, .residual = true}, {1, 7, 2, 2, 16}, {32, 16, 3, 1, 1}),
      make_case("time_wide_padding", {.conv = {.padding = {2, 0, 0}}}, {2, 3, 1, 2, 16}, {32, 16, 3, 1, 1}),
      make_case("time_many_channels", {.conv = over_time, .norm = true, .residual = true, .relu = true},
                {1, 4, 2, 3, 592}, {64, 592, 3, 1, 1}),
      make_case("space", {.conv = over_space}, {1, 2, 8, 8, 64}, {64, 64, 1, 3, 3}),
      make_case("space_tails", {.conv = over_space, .norm = true, .relu = true}, {1, 3, 7, 5, 48},
                {32, 48, 1, 3, 3}),
      make_case("space_one_pixel", {.conv = over_space, .residual = true}, {2, 1, 1, 1, 16},
                {32, 16, 1, 3, 3}),
      make_case("space_one_row", {.conv = over_space}, {1, 2, 1, 9, 16}, {32, 16, 1, 3, 3}),
      make_case("space_valid", {.conv = {}, .norm = true, .residual = true}, {1, 2, 9, 6, 32},
                {96, 32, 1, 3, 3}),
      make_case("space_uneven_padding", {.conv = {.padding = {0, 2, 0}}}, {1, 2, 6, 7, 16},
                {32, 16, 1, 3, 3}),
      make_case("space_2d_weight", {.conv = over_space, .relu = true}, {1, 2, 6, 7, 16}, {32, 16, 3, 3}),
      make_case("space_many_channels", {.conv = over_space, .norm = true, .residual = true, .relu = true},
                {1, 3, 10, 11, 400}, {64, 400, 1, 3, 3}),
      make_case("halving", {.conv = halving}, {1, 2, 8, 8, 64}, {64, 64, 1, 3, 3}),
      make_case("halving_tails", {.conv = halving, .norm = true, .relu = true}, {2, 2, 9, 7, 48},
                {32, 48, 1, 3, 3}),
      make_case("halving_even", {.conv = halving, .residual = true}, {1, 3, 6, 10, 16}, {96, 16, 1, 3, 3}),
      make_case("halving_valid", {.conv = {.stride = {1, 2, 2}}}, {1, 1, 5, 6, 16}, {32, 16, 1, 3, 3}),
      make_case("halving_one_pixel", {.conv = halving}, {1, 2, 1, 1, 16}, {32, 16, 1, 3, 3}),
      make_case("halving_many_channels", {.conv = halving, .norm = true, .residual = true, .relu = true},
                {1, 2, 12, 11, 400}, {64, 400, 1, 3, 3}),
  };
}

TEST(Winograd, AgreesWithTheReference) {
  if (!has_vectors()) GTEST_SKIP() << "This processor lacks the vectors.";
  for (const Case& c : small_cases()) {
    SCOPED_TRACE(c.label);
    BoundCase bound = bind(c);
    bound.run();
    EXPECT_EQ(bound.kernel().implementation().substr(0, 9), "winograd_");
    EXPECT_LE(relative_l2(bound.output(), verify::reference_output(c, bound)), verify::op_f32_relative_l2);
  }
}

/// More rows than are transformed at once.
TEST(Winograd, GoesThroughLargeImagesInParts) {
  if (!has_vectors()) GTEST_SKIP() << "This processor lacks the vectors.";
  const Case c = make_case("large", {.conv = over_time, .norm = true, .relu = true}, {1, 4, 83, 97, 96},
                           {32, 96, 3, 1, 1});
  BoundCase bound = bind(c);
  bound.run();
  EXPECT_LE(relative_l2(bound.output(), verify::reference_output(c, bound)), verify::op_f32_relative_l2);
  EXPECT_LE(bound.kernel().scratch_bytes(), std::size_t{18} << 20U);
}

TEST(Winograd, KeepsNan) {
  if (!has_vectors()) GTEST_SKIP() << "This processor lacks the vectors.";
  for (const Case& c : small_cases()) {
    SCOPED_TRACE(c.label);
    BoundCase bound = bind(c, verify::middle_of(c));
    bound.run();
    EXPECT_GT(verify::kept_nans(verify::reference_output(c, bound), bound.output()), 0);
  }
}

TEST(Winograd, GivesTheSameInPlaceAndForAnyNumberOfThreads) {
  if (!has_vectors()) GTEST_SKIP() << "This processor lacks the vectors.";
  for (const Case& c : small_cases()) {
    SCOPED_TRACE(c.label);
    BoundCase apart = bind(c);
    apart.run();
    BoundCase again = bind(c);
    again.run();
    EXPECT_EQ(again.output(), apart.output());
    const CpuBackend single(1);
    single.enter_thread();
    BoundCase alone(c, single, {.compile = compile});
    alone.run();
    EXPECT_EQ(alone.output(), apart.output());
    backend().enter_thread();
    if (!c.op.residual) continue;
    BoundCase shared = bind(c);
    EXPECT_EQ(shared.kernel().in_place_input(), static_cast<int>(c.inputs.size()) - 1);
    shared.run_in_place();
    EXPECT_EQ(shared.output(), apart.output());
  }
}

/// The code for narrower vectors too, wherever it runs.
TEST(Winograd, NarrowVectorsComputeWhatWideOnesDo) {
  if (!has_wide_vectors()) GTEST_SKIP() << "This processor has one size at most.";
  constexpr std::int64_t depth = 32;
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const auto algorithm :
       {WinogradAlgorithm::over_time, WinogradAlgorithm::over_space, WinogradAlgorithm::over_space_halving}) {
    const cpu::WinogradCode *narrow = &cpu::winograd_code_avx2(algorithm),
                            *wide = &cpu::winograd_code_avx512(algorithm);
    EXPECT_EQ(narrow->points, wide->points);
    EXPECT_EQ(narrow->taps, wide->taps);
    for (const cpu::WinogradCode* code : {narrow, wide}) {
      SCOPED_TRACE(code->name);
      // v (depth / slice, rows, slice), u (depth, outputs)
      const std::int64_t rows = code->rows_per_block, outputs = code->outputs_per_panel,
                         slice = cpu::WinogradCode::slice;
      std::vector<float> v(static_cast<std::size_t>(rows * depth)),
          u(static_cast<std::size_t>(depth * outputs)), sums(static_cast<std::size_t>(rows * outputs));
      for (float& value : v) value = uniform(generator);
      for (float& value : u) value = uniform(generator);
      for (const bool add : {false, true}) {
        code->multiply(v.data(), u.data(), sums.data(), depth, add, v.data());
      }
      std::vector<float> expected;
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t o = 0; o < outputs; ++o) {
          double sum = 0;
          for (std::int64_t k = 0; k < depth; ++k) {
            sum +=
                static_cast<double>(v[static_cast<std::size_t>((k / slice * rows + r) * slice + k % slice)]) *
                u[static_cast<std::size_t>(k * outputs + o)];
          }
          expected.push_back(static_cast<float>(2 * sum));
        }
      EXPECT_LE(relative_l2(sums, expected), verify::op_f32_relative_l2);
    }
  }
}

template <class Filter>
class WinogradFilter : public ::testing::Test {};
using Filters = ::testing::Types<cpu::TwoOutputs, cpu::FourOutputs, cpu::EverySecond, cpu::OneTap<1>>;
TYPED_TEST_SUITE(WinogradFilter, Filters);

/// In double, from matrices whose elements are exact or a rounded sixth.
TYPED_TEST(WinogradFilter, ConvolvesInOneDimension) {
  std::mt19937 generator(2);
  std::uniform_real_distribution<double> uniform(-1, 1);
  double d[TypeParam::span], g[TypeParam::taps];  // NOLINT(modernize-avoid-c-arrays): as the filter's
  for (double& value : d) value = uniform(generator);
  for (double& value : g) value = uniform(generator);
  for (int output = 0; output < TypeParam::outputs; ++output) {
    double found = 0, expected = 0;
    for (int p = 0; p < TypeParam::points; ++p) {
      double transformed_d = 0, transformed_g = 0;
      for (int i = 0; i < TypeParam::span; ++i) transformed_d += TypeParam::b[p][i] * d[i];
      for (int k = 0; k < TypeParam::taps; ++k) transformed_g += TypeParam::g[p][k] * g[k];
      found += TypeParam::a[output][p] * transformed_d * transformed_g;
    }
    for (int k = 0; k < TypeParam::taps; ++k) expected += g[k] * d[output * TypeParam::stride + k];
    EXPECT_NEAR(found, expected, 1e-5);
  }
}

/// Which algorithm is found for a convolution, and whether it pays.
struct Choice {
  std::optional<WinogradAlgorithm> algorithm;
  bool pays = false;

  bool operator==(const Choice&) const = default;
};

Choice choose(const ops::Conv3d& conv, const Shape& x, const Shape& w, DType dtype = DType::f32) {
  const std::vector<Operand> inputs{{.shape = x, .dtype = dtype}, {.shape = w, .kind = Kind::weight}},
      outputs{{.shape = conv.output(x, w), .dtype = dtype}};
  const ops::FusedConv3d op{.conv = conv};
  const auto found = cpu::find_winograd(op, {inputs, outputs});
  return {found, found && cpu::pays(*found, op, {inputs, outputs})};
}

TEST(Winograd, IsChosenWhereItSavesEnough) {
  if (!has_vectors()) GTEST_SKIP() << "This processor lacks the vectors.";
  const Choice direct{};
  using A = WinogradAlgorithm;
  // Layers of SlowOnly-R50 8x8.
  EXPECT_EQ(choose(over_time, {1, 8, 16, 16, 1024}, {256, 1024, 3, 1, 1}), (Choice{A::over_time, true}));
  EXPECT_EQ(choose(over_space, {1, 8, 64, 64, 64}, {64, 64, 1, 3, 3}), (Choice{A::over_space, true}));
  EXPECT_EQ(choose(halving, {1, 8, 16, 16, 1024}, {2048, 1024, 1, 3, 3}),
            (Choice{A::over_space_halving, true}));
  EXPECT_EQ(choose(halving, {1, 8, 64, 64, 128}, {128, 128, 1, 3, 3}),
            (Choice{A::over_space_halving, false}));  // too few channels
  // Tiles that are mostly empty, and little work.
  EXPECT_EQ(choose(over_time, {1, 2, 16, 16, 1024}, {256, 1024, 3, 1, 1}), (Choice{A::over_time, false}));
  EXPECT_EQ(choose(over_time, {1, 5, 16, 16, 1024}, {256, 1024, 3, 1, 1}), (Choice{A::over_time, false}));
  EXPECT_EQ(choose(halving, {1, 8, 6, 6, 1024}, {2048, 1024, 1, 3, 3}),
            (Choice{A::over_space_halving, false}));
  EXPECT_EQ(choose(over_space, {1, 2, 8, 8, 64}, {64, 64, 1, 3, 3}), (Choice{A::over_space, false}));
  // What no algorithm is for.
  EXPECT_EQ(choose({}, {1, 8, 16, 16, 256}, {1024, 256, 1, 1, 1}), direct);
  EXPECT_EQ(choose({.stride = {2, 1, 1}, .padding = {1, 0, 0}}, {1, 8, 4, 4, 64}, {64, 64, 3, 1, 1}), direct);
  EXPECT_EQ(choose({.stride = {1, 2, 1}, .padding = {0, 1, 1}}, {1, 8, 8, 8, 64}, {64, 64, 1, 3, 3}), direct);
  EXPECT_EQ(choose({.padding = {0, 2, 2}}, {1, 8, 8, 8, 64}, {64, 64, 1, 5, 5}), direct);
  EXPECT_EQ(choose({.padding = {1, 0, 0}, .groups = 32}, {1, 8, 4, 4, 1024}, {1024, 32, 3, 1, 1}), direct);
  EXPECT_EQ(choose(over_time, {1, 1, 16, 16, 64}, {64, 64, 3, 1, 1}), direct);  // one frame meets one tap
  EXPECT_EQ(choose(over_space, {1, 8, 64, 64, 72}, {64, 72, 1, 3, 3}), direct);
  EXPECT_EQ(choose(over_space, {1, 8, 64, 64, 64}, {72, 64, 1, 3, 3}), direct);
  EXPECT_EQ(choose({.padding = {1, 1, 1}}, {1, 8, 8, 8, 64}, {64, 64, 3, 1, 1}), direct);
  EXPECT_EQ(choose(over_space, {1, 8, 64, 64, 64}, {64, 64, 1, 3, 3}, DType::bf16), direct);
}

}  // namespace
}  // namespace tpn
