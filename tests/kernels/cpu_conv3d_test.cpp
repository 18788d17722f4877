// How the CPU computes convolutions: with fewer products than taps, asked for on shapes so small that plans
// compute them directly; in f32 where bf16 is slow; and by which of oneDNN's proposals.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/bf16_speed.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/proposal_choice.h"
#include "kernels/cpu/widened_kernel.h"
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
bool has_bf16_products() {
  return backend().libraries().find("(avx512_core_bf16") != std::string::npos ||
         backend().libraries().find("(avx512_core_amx") != std::string::npos;
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

/// The types of tensors and of what is multiplied.
struct Types {
  DType tensors = DType::f32, products = DType::f32;
};
constexpr Types in_f32, widening{DType::bf16, DType::f32}, in_bf16{DType::bf16, DType::bf16};

std::string name_of(const Types& types) {
  return std::string(tpn::name_of(types.tensors)) + " by products of " +
         std::string(tpn::name_of(types.products));
}

bool can_run(const Types& types) {
  if (types.products == DType::bf16) return has_bf16_products();
  return types.tensors == DType::bf16 ? has_wide_vectors() : has_vectors();
}

/// Compiles with such products.
auto compile_with(DType products) {
  return [products](const AnyOp& op, const Signature& signature) {
    const auto& fused = std::get<ops::FusedConv3d>(op);
    const std::optional<WinogradAlgorithm> found = cpu::find_winograd(fused, signature, products);
    if (!found) throw Error("There is no such algorithm.");
    return cpu::compile_winograd(*found, fused, signature, products);
  };
}

BoundCase bind(const Case& c, const Types& types = {}, std::int64_t nan_at = -1) {
  backend().enter_thread();
  return {
      c, backend(), {.precision = types.tensors, .nan_at = nan_at, .compile = compile_with(types.products)}};
}

double tolerance(DType precision) {
  return precision == DType::bf16 ? verify::op_bf16_relative_l2 : verify::op_f32_relative_l2;
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

/// In bf16 plain products are made too.
std::vector<Case> bf16_cases() {
  std::vector<Case> cases = small_cases();
  const ops::Conv3d every_second{.stride = {1, 2, 2}};
  cases.push_back(make_case("product", {.conv = {}, .norm = true, .residual = true, .relu = true},
                            {2, 3, 5, 7, 48}, {64, 48, 1, 1, 1}));
  cases.push_back(make_case("product_plain", {.conv = {}}, {1, 1, 1, 1, 16}, {32, 16, 1, 1, 1}));
  cases.push_back(make_case("product_halving", {.conv = every_second, .norm = true}, {2, 2, 7, 6, 48},
                            {64, 48, 1, 1, 1}));
  cases.push_back(
      make_case("product_2d_weight", {.conv = every_second, .relu = true}, {1, 2, 5, 9, 16}, {32, 16, 1, 1}));
  return cases;
}

/// Those of a type; words of two channels come in slices of 32.
std::vector<Case> cases_of(const Types& types) {
  std::vector<Case> cases = types.tensors == DType::bf16 ? bf16_cases() : small_cases();
  if (types.products == DType::f32) return cases;
  for (Case& c : cases) {
    c.inputs[0].shape[4] *= 2;
    c.inputs[1].shape[1] *= 2;
  }
  return cases;
}

class WinogradTypes : public ::testing::TestWithParam<Types> {
 protected:
  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "This processor lacks the instructions.";
  }
};
INSTANTIATE_TEST_SUITE_P(Cpu, WinogradTypes, ::testing::Values(in_f32, widening, in_bf16),
                         [](const auto& types) {
                           std::string name = name_of(types.param);
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

TEST_P(WinogradTypes, AgreesWithTheReference) {
  for (const Case& c : cases_of(GetParam())) {
    SCOPED_TRACE(c.label);
    BoundCase bound = bind(c, GetParam());
    bound.run();
    EXPECT_EQ(bound.kernel().implementation().substr(0, 7),
              c.label.starts_with("product") ? "product" : "winogra");
    EXPECT_LE(relative_l2(bound.output(), verify::reference_output(c, bound)), tolerance(GetParam().tensors));
  }
}

TEST(Winograd, RoundsBf16ToTheNearest) {
  if (!has_wide_vectors()) GTEST_SKIP() << "This processor lacks the vectors.";
  const Case c = make_case("identity", {.conv = {}, .residual = true}, {1, 2, 5, 7, 32}, {32, 32, 1, 1, 1});
  const auto identity = [](std::span<ops::Tensor64> inputs) {
    std::ranges::fill(inputs[1].data, 0);
    for (std::size_t i = 0; i < 32; ++i) inputs[1].data[i * 33] = 1;
  };
  for (const Types& types : {widening, in_bf16}) {
    if (!can_run(types)) continue;
    SCOPED_TRACE(name_of(types));
    backend().enter_thread();
    BoundCase bound(c, backend(),
                    {.precision = DType::bf16, .adjust = identity, .compile = compile_with(types.products)});
    bound.run();
    std::vector<float> expected;
    for (std::size_t i = 0; i < bound.output().size(); ++i) {
      const double sum = bound.reference_inputs()[0].data[i] + bound.reference_inputs()[2].data[i];
      expected.push_back(static_cast<float>(Bf16(static_cast<float>(sum))));
    }
    EXPECT_EQ(bound.output(), expected);
  }
}

/// A kernel for f32 in one for bf16 keeps the shift of a batch norm exact: here, all but 2^-9 of it is taken
/// away by the residual.
TEST(WidenedKernel, KeepsTheShiftExact) {
  const Case c =
      make_case("shift", {.conv = {}, .norm = true, .residual = true}, {1, 1, 2, 3, 5}, {7, 5, 1, 1, 1});
  const auto shift_alone = [](std::span<ops::Tensor64> inputs) {
    const std::vector<double> values{0, 1, 1 + 1.0 / 512, 0, 1, -1};  // weight, scale, shift, mean, variance
    for (std::size_t i = 0; i < values.size(); ++i) std::ranges::fill(inputs[i + 1].data, values[i]);
  };
  const auto widened = [](const AnyOp& op, const Signature& signature) {
    return cpu::widen(signature, [&](const Signature& wide) { return backend().compile(op, wide); });
  };
  BoundCase bound(c, backend(), {.precision = DType::bf16, .adjust = shift_alone, .compile = widened});
  bound.run();
  EXPECT_EQ(bound.output(), std::vector<float>(bound.output().size(), 1.0F / 512));
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

TEST_P(WinogradTypes, KeepsNan) {
  for (const Case& c : cases_of(GetParam())) {
    SCOPED_TRACE(c.label);
    BoundCase bound = bind(c, GetParam(), verify::middle_of(c));
    bound.run();
    EXPECT_GT(verify::kept_nans(verify::reference_output(c, bound), bound.output()), 0);
  }
}

TEST_P(WinogradTypes, GivesTheSameInPlaceAndForAnyNumberOfThreads) {
  for (const Case& c : cases_of(GetParam())) {
    SCOPED_TRACE(c.label);
    BoundCase apart = bind(c, GetParam());
    apart.run();
    BoundCase again = bind(c, GetParam());
    again.run();
    EXPECT_EQ(again.output(), apart.output());
    const CpuBackend single(1);
    single.enter_thread();
    BoundCase alone(c, single,
                    {.precision = GetParam().tensors, .compile = compile_with(GetParam().products)});
    alone.run();
    EXPECT_EQ(alone.output(), apart.output());
    backend().enter_thread();
    if (!c.op.residual) continue;
    BoundCase shared = bind(c, GetParam());
    EXPECT_EQ(shared.kernel().in_place_input(), static_cast<int>(c.inputs.size()) - 1);
    shared.run_in_place();
    EXPECT_EQ(shared.output(), apart.output());
  }
}

/// The code for narrower vectors too, wherever it runs.
TEST(Winograd, NarrowVectorsComputeWhatWideOnesDo) {
  if (!has_wide_vectors()) GTEST_SKIP() << "This processor has one size at most.";
  constexpr std::int64_t depth = 32;
  std::mt19937 generator(1);  // NOLINT(cert-msc51-cpp): the same every time
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
  std::mt19937 generator(2);  // NOLINT(cert-msc51-cpp): the same every time
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
  const DType products = cpu::winograd_products(dtype);
  const auto found = cpu::find_winograd(op, {inputs, outputs}, products);
  return {found, found && cpu::pays(*found, op, {inputs, outputs}, products)};
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
}

/// With slow instructions for bf16 everything that can be is computed so, with fast ones what saves enough,
/// with AMX nothing.
TEST(Winograd, ComputesBf16AsTheProcessorDoesItFastest) {
  if (!has_wide_vectors()) GTEST_SKIP() << "This processor lacks the vectors.";
  using A = WinogradAlgorithm;
  const bool slow = !cpu::gains_by_bf16(), has_amx = backend().libraries().find("_amx") != std::string::npos;
  EXPECT_EQ(choose(over_space, {1, 8, 64, 64, 64}, {64, 64, 1, 3, 3}, DType::bf16),
            (Choice{A::over_space, !has_amx}));
  EXPECT_EQ(choose(over_time, {1, 8, 16, 16, 1024}, {256, 1024, 3, 1, 1}, DType::bf16),
            (Choice{A::over_time, !has_amx}));
  EXPECT_EQ(choose(halving, {1, 8, 64, 64, 128}, {128, 128, 1, 3, 3}, DType::bf16),
            (Choice{A::over_space_halving, slow}));
  EXPECT_EQ(choose({}, {1, 8, 16, 16, 256}, {1024, 256, 1, 1, 1}, DType::bf16), (Choice{A::product, slow}));
  EXPECT_EQ(choose({.stride = {1, 2, 2}}, {1, 8, 64, 64, 256}, {512, 256, 1, 1, 1}, DType::bf16),
            (Choice{A::product_halving, slow}));
  EXPECT_EQ(
      choose({.stride = {1, 2, 2}, .padding = {0, 3, 3}}, {1, 8, 32, 32, 3}, {64, 3, 1, 7, 7}, DType::bf16),
      Choice{});
}

/// As far as can be seen here: on a processor that has none the answer is no.
TEST(Bf16Speed, IsFoundOut) {
  const bool has_instructions = backend().libraries().find("_bf16") != std::string::npos ||
                                backend().libraries().find("_fp16") != std::string::npos,
             has_amx = backend().libraries().find("_amx") != std::string::npos;
  if (has_amx) {
    EXPECT_TRUE(cpu::gains_by_bf16());
  } else if (!has_instructions) {
    EXPECT_FALSE(cpu::gains_by_bf16());
  } else {
    const double ratio = cpu::bf16_instruction_ratio();
    EXPECT_GT(ratio, 0.5);
    EXPECT_LT(ratio, 10);
    EXPECT_EQ(cpu::gains_by_bf16(), ratio < 2) << ratio;
  }
}

TEST(ProposalChoice, AvoidsSlowAndWrongProposals) {
  const auto chosen = [](const cpu::ProposalTraits& traits, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (cpu::is_wanted(traits, name)) return name;
    }
    return names.front();
  };
  const std::vector<std::string> amx{"brgconv:avx512_core_amx", "jit:avx512_core_amx",
                                     "jit_bf16:avx512_core_bf16", "gemm:jit"},
      pointwise{"brgconv_1x1:avx512_core_bf16", "jit_bf16_1x1:avx512_core_bf16", "gemm:jit"};
  EXPECT_EQ(chosen({.is_over_time = true, .has_amx = true}, amx), "jit:avx512_core_amx");
  EXPECT_EQ(chosen({.is_over_time = true, .adds = true, .has_amx = true}, amx), "jit:avx512_core_amx");
  EXPECT_EQ(chosen({.is_over_time = true}, amx), amx[0]);
  EXPECT_EQ(chosen({.has_amx = true}, amx), amx[0]);
  // f32 on the same processor has no kernel of AMX
  EXPECT_EQ(chosen({.is_over_time = true, .has_amx = true}, {"brgconv:avx512_core", "jit:avx512_core"}),
            "brgconv:avx512_core");
  EXPECT_EQ(chosen({.is_pointwise = true}, pointwise), pointwise[0]);
  EXPECT_EQ(chosen({.is_pointwise = true, .adds = true}, pointwise), pointwise[1]);
  EXPECT_EQ(chosen({.is_pointwise = true, .adds = true, .full_vectors = false}, pointwise), pointwise[0]);
  EXPECT_EQ(chosen({.is_pointwise = true, .adds = true, .full_vectors = false}, {pointwise[1], pointwise[2]}),
            "gemm:jit");
}

}  // namespace
}  // namespace tpn
