// Every operation of the list, on every backend and in every precision, against its own reference.
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/conv3d_product.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/patch_conv3d.h"
#include "kernels/reference_backend.h"
#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/case_tests.h"
#include "tests/support/expect_agreement.h"

namespace tpn {
namespace {

using test::expect_agreement;
using verify::BoundCase;
using verify::relative_l2;

template <class Op>
concept OnCpu = requires(const Op& op, const Signature& signature) {
  cpu::compile(op, signature);  // declared in compile.h
};

const CpuBackend& cpu_backend() {
  static const CpuBackend backend(2);
  return backend;
}

double tolerance(DType precision) {
  return precision == DType::bf16 ? verify::op_bf16_relative_l2 : verify::op_f32_relative_l2;
}

/// Registers SUITE/cpu/PRECISION.OPERATION/CASE: check(case, precision). Forms of an operation that the CPU
/// does not support have to be refused.
template <class Check>
bool on_cpu(const std::string& suite, const Check& check) {
  for (const DType precision : {DType::f32, DType::bf16}) {
    const auto test = [=]<OnCpu Op>(const ops::Case<Op>& c) {
      if (!cpu_backend().supports(precision)) {
        GTEST_SKIP() << "This processor does not compute in " << name_of(precision);
      }
      if (cpu_backend().supports(AnyOp(c.op))) {
        check(c, precision);
      } else {
        EXPECT_THROW(BoundCase(c, cpu_backend(), precision), Error);
      }
    };
    test::register_case_tests(suite + "/cpu/" + std::string(name_of(precision)), test);
  }
  return true;
}

const bool agree = on_cpu("AgreesWithTheReference", [](const auto& c, DType precision) {
  BoundCase bound(c, cpu_backend(), precision);
  bound.run();
  expect_agreement(c, bound, tolerance(precision));
});

const bool keep_nan = on_cpu("KeepsNan", [](const auto& c, DType precision) {
  BoundCase bound(c, cpu_backend(), {.precision = precision, .nan_at = verify::middle_of(c)});
  bound.run();
  EXPECT_GE(verify::kept_nans(verify::reference_output(c, bound), bound.output()), 0)
      << bound.kernel().implementation();
});

const bool same_in_place = on_cpu("GivesTheSameInPlace", [](const auto& c, DType precision) {
  BoundCase apart(c, cpu_backend(), precision), shared(c, cpu_backend(), precision);
  if (shared.kernel().in_place_input() < 0) return;
  apart.run();
  shared.run_in_place();
  for (std::size_t i = 0; i < apart.output_count(); ++i) EXPECT_EQ(shared.output(i), apart.output(i));
});

const bool same_for_threads = on_cpu("GivesTheSameForAnyNumberOfThreads", [](const auto& c, DType precision) {
  const CpuBackend single(1);
  BoundCase one(c, single, precision), two(c, cpu_backend(), precision);
  single.enter_thread();
  one.run();
  cpu_backend().enter_thread();
  two.run();
  EXPECT_LE(relative_l2(two.output(), one.output()), tolerance(precision));
});

const bool reference_agrees =
    test::register_case_tests("AgreesWithTheReference/reference/f64", [](const auto& c) {
      const ReferenceBackend backend;
      BoundCase bound(c, backend, DType::f64);
      bound.run();
      expect_agreement(c, bound, verify::golden_f64_relative_l2);
    });

/// Every operation of the networks and of their training; GPUs alone have fused ones beside the
/// convolution's.
TEST(CpuBackend, RunsTheOperationsOfNetworks) {
  std::set<std::string_view> missing;
  int in_place = 0;
  for_each_op([&]<class Op>(std::type_identity<Op>) {
    const ops::Case<Op> c = Op::cases().front();
    EXPECT_EQ(OnCpu<Op>, cpu_backend().supports(AnyOp(c.op))) << Op::name;
    if (!OnCpu<Op>) {
      missing.insert(Op::name);
    } else if (BoundCase(c, cpu_backend(), DType::f32).kernel().in_place_input() >= 0) {
      ++in_place;
    }
  });
  EXPECT_EQ(missing, (std::set<std::string_view>{ops::TemporalModulation::name, ops::LevelFusion::name,
                                                 ops::Classifier::name}));
  EXPECT_GE(in_place, 8);
}

/// Large weights are multiplied with gathered patches; here small ones are too.
class CpuPatches : public ::testing::TestWithParam<DType> {};

TEST_P(CpuPatches, AgreeWithTheReferenceInUnequalDirections) {
  if (!cpu_backend().supports(GetParam())) GTEST_SKIP() << "This processor does not compute in that.";
  const ops::Case<ops::FusedConv3d> c("patches",
                                      {.conv = {.stride = {1, 2, 3}, .padding = {0, 1, 2}}, .relu = true},
                                      {activation({2, 2, 9, 11, 64}), weight({64, 64, 1, 3, 2})});
  BoundCase bound(c, cpu_backend(),
                  {.precision = GetParam(), .compile = [](const AnyOp& op, const Signature& signature) {
                     return cpu::compile_patches(std::get<ops::FusedConv3d>(op), signature);
                   }});
  bound.run();
  EXPECT_LE(relative_l2(bound.output(), verify::reference_output(c, bound)), tolerance(GetParam()));
}

/// Products are compiled for the larger layers; here a small one takes every way through them.
class CpuProducts : public ::testing::TestWithParam<DType> {};

TEST_P(CpuProducts, AgreeWithTheReference) {
  if (!cpu_backend().supports(GetParam())) GTEST_SKIP() << "This processor does not compute in that.";
  const auto agrees = [&](const auto& c) {
    SCOPED_TRACE(std::string(c.op.name) + " " + c.label);
    BoundCase bound(c, cpu_backend(),
                    {.precision = GetParam(), .compile = [](const AnyOp& op, const Signature& signature) {
                       return std::visit(
                           [&](const auto& o) -> std::unique_ptr<Kernel> {
                             if constexpr (requires { cpu::make_product(o, signature); })
                               return cpu::make_product(o, signature);
                             throw Error("No product.");
                           },
                           op);
                     }});
    bound.run();
    EXPECT_EQ(bound.kernel().implementation(), "product");
    EXPECT_LE(relative_l2(bound.output(), verify::reference_output(c, bound)), tolerance(GetParam()));
  };
  // Taps of 1, 3, 9 and another number; strides and padding of their own; patches for two chunks of pixels.
  const auto weights_of = [](const std::string& label, const ops::Conv3d& conv, const Shape& x,
                             const Shape& w) {
    return ops::Case<ops::Conv3dWeightGradient>(label, {conv, w},
                                                {activation(x), activation(conv.output(x, w))});
  };
  agrees(weights_of("pointwise", {}, {2, 3, 13, 11, 7}, {5, 7, 1, 1, 1}));
  agrees(weights_of("temporal", {.padding = {1, 0, 0}}, {2, 5, 9, 11, 6}, {10, 6, 3, 1, 1}));
  agrees(weights_of("one_frame", {.padding = {1, 0, 0}}, {2, 1, 5, 7, 6}, {10, 6, 3, 1, 1}));
  agrees(weights_of("spatial", {.stride = {1, 2, 2}, .padding = {0, 1, 1}}, {1, 2, 33, 35, 456},
                    {2, 456, 1, 3, 3}));
  agrees(
      weights_of("uneven", {.stride = {1, 2, 3}, .padding = {0, 1, 2}}, {1, 2, 9, 11, 5}, {6, 5, 1, 3, 2}));
  if (GetParam() != DType::f32) return;
  const ops::Conv3d uneven{.stride = {1, 2, 3}, .padding = {0, 1, 2}};
  agrees(ops::Case<ops::Conv3d>("uneven", uneven, {activation({2, 2, 29, 31, 5}), weight({6, 5, 1, 3, 2})}));
  agrees(ops::Case<ops::Conv3d>("spatial", {.padding = {0, 1, 1}},
                                {activation({1, 2, 17, 18, 456}), weight({2, 456, 1, 3, 3})}));
  agrees(ops::Case<ops::Conv3dDataGradient>("pointwise", {{}, {3, 5, 7}},
                                            {activation({2, 3, 5, 7, 9}), weight({9, 6, 1, 1, 1})}));
}

INSTANTIATE_TEST_SUITE_P(Precisions, CpuProducts, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

INSTANTIATE_TEST_SUITE_P(Precisions, CpuPatches, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(Reference, KeepsNanAsPyTorchDoes) {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  ops::Tensor64 x({1, 1, 1, 5, 1}), y({1, 1, 1, 5, 1});
  x.data = {nan, -1, infinity, -infinity, 2};
  ops::Relu::forward({&x, 1}, {&y, 1});
  EXPECT_TRUE(std::isnan(y.data[0]));
  EXPECT_EQ(std::vector<double>(y.data.begin() + 1, y.data.end()), (std::vector<double>{0, infinity, 0, 2}));

  const ops::MaxPool3d pool{.kernel = {1, 1, 2}};
  ops::Tensor64 best({1, 1, 1, 4, 1});
  x.data = {nan, 3, 1, nan, 5};  // first or last in the window
  pool.forward({&x, 1}, {&best, 1});
  EXPECT_TRUE(std::isnan(best.data[0]));
  EXPECT_EQ(best.data[1], 3);
  EXPECT_TRUE(std::isnan(best.data[2]));
  EXPECT_TRUE(std::isnan(best.data[3]));
}

TEST(Conv3d, RefusesWhatDoesNotFit) {
  const ops::Conv3d conv{.groups = 2};
  EXPECT_THROW((void)conv.infer(std::vector{activation({1, 1, 4, 4, 6}), weight({8, 2, 1, 1, 1})}),
               Error);  // 6 != 2 * 2
  EXPECT_THROW((void)conv.infer(std::vector{activation({1, 1, 4, 4, 6}), weight({7, 3, 1, 1, 1})}),
               Error);  // 7 outputs, 2 groups
  EXPECT_THROW((void)ops::Conv3d{}.infer(std::vector{activation({1, 1, 2, 2, 6}), weight({7, 6, 1, 3, 3})}),
               Error);
  EXPECT_THROW((void)ops::Conv3d{}.infer(std::vector{activation({1, 1, 2, 2, 6})}), Error);
}

TEST(MaxPool3d, CountsWindowsAsPyTorchDoes) {
  const auto frames = [](std::int64_t length, ops::MaxPool3d pool) {
    return pool.infer(std::vector{activation({1, length, 1, 1, 1})})[0].shape[1];
  };
  EXPECT_EQ(frames(9, {.kernel = {4, 1, 1}, .stride = {4, 1, 1}}), 2);
  EXPECT_EQ(frames(9, {.kernel = {4, 1, 1}, .stride = {4, 1, 1}, .ceil_mode = true}), 3);
  EXPECT_EQ(frames(8, {.kernel = {4, 1, 1}, .stride = {4, 1, 1}, .ceil_mode = true}), 2);
  EXPECT_EQ(frames(3, {.kernel = {4, 1, 1}, .stride = {4, 1, 1}, .ceil_mode = true}), 1);
  EXPECT_EQ(frames(9, {.kernel = {3, 1, 1}, .stride = {2, 1, 1}, .padding = {1, 0, 0}}), 5);
  // No window begins in the padding behind the last frame.
  EXPECT_EQ(frames(5, {.kernel = {2, 1, 1}, .stride = {3, 1, 1}, .padding = {1, 0, 0}, .ceil_mode = true}),
            2);
  EXPECT_EQ(frames(6, {.kernel = {2, 1, 1}, .stride = {3, 1, 1}, .padding = {1, 0, 0}, .ceil_mode = true}),
            3);
  EXPECT_THROW(frames(3, {.kernel = {4, 1, 1}, .stride = {4, 1, 1}}), Error);
}

TEST(Add, RefusesLevelsThatDoNotMeet) {
  EXPECT_THROW((void)ops::Add::infer(std::vector{activation({1, 4, 2, 2, 8}), activation({1, 3, 2, 2, 8})}),
               Error);
  EXPECT_THROW((void)ops::Add::infer(std::vector{activation({1, 4, 2, 2, 8}), activation({1, 4, 2, 1, 8})}),
               Error);
}

// op_test_AVX2 and its like run this too: oneDNN is then told to use no more than that.
TEST(CpuBackend, ComputesInBf16OnlyWithItsVectors) {
  const CpuBackend backend(1);
  EXPECT_EQ(backend.supports(DType::bf16), backend.libraries().find("(avx512_core") != std::string::npos)
      << backend.libraries();
  EXPECT_TRUE(backend.supports(DType::f32));
  EXPECT_FALSE(backend.supports(DType::f16));
}

TEST(CpuBackend, ConvolvesOverTimeWithoutPadding) {
  const ops::Case<ops::Conv3d> c("valid", ops::Conv3d{},
                                 {activation({2, 5, 3, 4, 8}), weight({6, 8, 3, 1, 1})});
  const CpuBackend backend(1);
  BoundCase bound(c, backend, DType::f32);
  bound.run();
  EXPECT_LE(relative_l2(bound.output(), verify::reference_output(c, bound)), verify::op_f32_relative_l2);
}

TEST(CpuBackend, RefusesAConvolutionOverSpaceAndTimeAtOnce) {
  const ops::Case<ops::Conv3d> both("both", ops::Conv3d{.padding = {1, 1, 1}},
                                    {activation({1, 4, 4, 4, 8}), weight({8, 8, 3, 3, 3})});
  const CpuBackend backend(1);
  EXPECT_THROW(BoundCase(both, backend, DType::f32), Error);
}

}  // namespace
}  // namespace tpn
