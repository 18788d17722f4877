// CUDA operations of training where the cases of their headers do not go: many tensors, overflow, places of
// equal maxima, labels that are no classes, every draw of dropout.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/verify/bound_case.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/expect_agreement.h"

namespace tpn {
namespace {

using test::expect_agreement;
using verify::BindOptions;
using verify::BoundCase;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

/// More than one launch takes, of one element and of several blocks, with and without a tail.
std::vector<TensorSpec> many_parameters() {
  std::vector<TensorSpec> result;
  for (std::int64_t i = 0; i < 600; ++i) result.push_back(per_channel(1 + i * 37 % 101));
  result[7] = weight({64, 259});
  result[599] = weight({3, 7, 1001});
  return result;
}

ops::Case<ops::GradientNorm> norm_of_many() {
  std::vector<TensorSpec> inputs{scalar()};
  for (const TensorSpec& gradient : many_parameters()) inputs.push_back(gradient);
  return {"many", {}, inputs, {ops::Range::positive}};
}

ops::Case<ops::Sgd> update_of_many(ops::Sgd op) {
  std::vector<TensorSpec> inputs(3, scalar());
  for (const TensorSpec& parameter : many_parameters()) inputs.insert(inputs.end(), 3, parameter);
  return {"many", op, inputs, std::vector<ops::Range>(3, ops::Range::positive)};
}

ops::Case<ops::BatchNormTraining> norm_case(const Shape& x, const ops::NormEpilogue& epilogue) {
  const TensorSpec channels = per_channel(x[4]);
  std::vector<TensorSpec> inputs{activation(x), channels, channels,
                                 channels,      channels, indices({}, DType::i64)};
  if (epilogue.residual) inputs.push_back(activation(x));
  using R = ops::Range;
  return {"",
          {.epilogue = epilogue},
          inputs,
          {R::symmetric, R::positive, R::symmetric, R::symmetric, R::positive}};
}

std::vector<double> doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

class CudaTraining : public ::testing::Test {
 protected:
  CudaBackend backend_;
};

TEST_F(CudaTraining, TakesTheNormOfManyGradients) {
  const auto c = norm_of_many();
  BoundCase bound(c, backend_, DType::f32);
  bound.run();
  expect_agreement(c, bound, verify::op_f32_relative_l2);
}

/// Every gradient counts, and every element of it: one is so large that the norm is its own.
TEST_F(CudaTraining, LeavesNoGradientOutOfTheNorm) {
  const auto c = norm_of_many();
  const auto norm = [&](std::size_t input, std::size_t element, double value) {
    BoundCase bound(c, backend_, BindOptions{.adjust = [=](std::span<ops::Tensor64> inputs) {
                      inputs[0].data[0] = 0.5;
                      inputs[input].data.at(element) = value;
                    }});
    bound.run();
    return bound.output()[0];
  };
  struct Place {
    std::size_t input, element;
  };
  for (const Place& at : {Place{1, 0}, {8, 64 * 259 - 1}, {255, 0}, {600, 16384}, {600, 21020}}) {
    EXPECT_FLOAT_EQ(norm(at.input, at.element, -1e30), 2e30F) << at.input;  // whose square is no f32
    EXPECT_EQ(norm(at.input, at.element, infinity), infinity) << at.input;
    EXPECT_TRUE(std::isnan(norm(at.input, at.element, nan))) << at.input;
  }
}

TEST_F(CudaTraining, UpdatesManyParameters) {
  for (const ops::Sgd& op : {ops::Sgd{.max_norm = 0.5}, ops::Sgd{.nesterov = false, .max_norm = 0}}) {
    const auto c = update_of_many(op);
    BoundCase apart(c, backend_, DType::f32), in_place(c, backend_, DType::f32);
    apart.run();
    expect_agreement(c, apart, verify::op_f32_relative_l2);
    in_place.run_updating(ops::Sgd::aliases(c.inputs.size()));
    for (std::size_t i = 0; i < apart.output_count(); ++i)
      ASSERT_EQ(in_place.output(i), apart.output(i)) << i;
  }
}

/// What a sum held is read where it is kept, and only there.
TEST_F(CudaTraining, AddsManyGradients) {
  std::vector<TensorSpec> inputs{scalar()};
  for (const TensorSpec& parameter : many_parameters()) inputs.insert(inputs.end(), 2, parameter);
  const ops::Case<ops::Accumulate> c("many", {}, inputs);
  for (const double keep : {0.0, 1.0}) {
    const BindOptions options{.adjust = [&](std::span<ops::Tensor64> all) {
      all[0].data[0] = keep;
      if (keep == 0) all[15].data.assign(all[15].data.size(), nan);
    }};
    BoundCase apart(c, backend_, options), in_place(c, backend_, options);
    apart.run();
    expect_agreement(c, apart, verify::op_f32_relative_l2);
    in_place.run_updating(ops::Accumulate::aliases(c.inputs.size()));
    for (std::size_t i = 0; i < apart.output_count(); ++i)
      ASSERT_EQ(in_place.output(i), apart.output(i)) << i;
  }
}

TEST_F(CudaTraining, AveragesManyParameters) {
  std::vector<TensorSpec> inputs;
  for (const TensorSpec& parameter : many_parameters()) inputs.insert(inputs.end(), 2, parameter);
  const ops::Case<ops::MovingAverage> c("many", {.decay = 0.9}, inputs);
  BoundCase apart(c, backend_, DType::f32), in_place(c, backend_, DType::f32);
  apart.run();
  expect_agreement(c, apart, verify::op_f32_relative_l2);
  in_place.run_updating(ops::MovingAverage::aliases(c.inputs.size()));
  for (std::size_t i = 0; i < apart.output_count(); ++i) ASSERT_EQ(in_place.output(i), apart.output(i)) << i;
}

/// As after an overflow of f16: gradients are infinite or NaN, and so is their norm.
TEST_F(CudaTraining, UpdatesNothingWhenTheNormIsNotFinite) {
  const auto c = update_of_many({.max_norm = 1});
  for (const float norm : {infinity, nan, -infinity}) {
    const BindOptions options{.adjust = [&](std::span<ops::Tensor64> inputs) {
      inputs[2].data[0] = norm;
      for (std::size_t i = 4; i < inputs.size(); i += 3) inputs[i].data[0] = norm;
    }};
    BoundCase apart(c, backend_, options), in_place(c, backend_, options);
    apart.run();
    in_place.run_updating(ops::Sgd::aliases(c.inputs.size()));
    for (std::size_t i = 0; i < apart.output_count(); ++i) {
      const std::vector<double>& old = apart.reference_inputs()[3 * (i / 2) + 3 + 2 * (i % 2)].data;
      const std::vector<float> expected(old.begin(), old.end());
      ASSERT_EQ(apart.output(i), expected) << i;
      ASSERT_EQ(in_place.output(i), expected) << i;
    }
  }
}

/// The reference throws, which a kernel cannot: NaN keeps the step from being learned from.
TEST_F(CudaTraining, MakesNanOfLabelsThatAreNoClasses) {
  const std::vector<TensorSpec> loss_inputs{matrix({5, 7}), indices({5}, DType::i64), per_channel(7)};
  std::vector<TensorSpec> gradient_inputs = loss_inputs;
  gradient_inputs.push_back(scalar());
  for (const double label : {-1.0, 7.0, 1e15}) {
    const BindOptions options{.adjust = [&](std::span<ops::Tensor64> inputs) { inputs[1].data[3] = label; }};
    BoundCase loss(ops::Case<ops::CrossEntropy>("", {.label_smoothing = 0.1}, loss_inputs), backend_,
                   options);
    BoundCase gradient(ops::Case<ops::CrossEntropyGradient>("", {}, gradient_inputs), backend_, options);
    loss.run();
    gradient.run();
    EXPECT_TRUE(std::isnan(loss.output()[0])) << label;
    for (const float value : gradient.output()) EXPECT_TRUE(std::isnan(value)) << label;
  }
}

TEST_F(CudaTraining, LosesNothingOfLargeLogits) {
  const ops::Case<ops::CrossEntropy> c("", {}, {matrix({3, 70}), indices({3}, DType::i64)});
  const BindOptions options{.adjust = [](std::span<ops::Tensor64> inputs) {
    for (double& logit : inputs[0].data) logit = 1000 + std::round(logit * 16) / 16;
  }};
  BoundCase bound(c, backend_, options);
  bound.run();
  expect_agreement(c, bound, verify::op_f32_relative_l2);
}

/// Kept elements are those of every other device, and equal to the last bit.
TEST_F(CudaTraining, DropsWhatTheSeedSays) {
  struct State {
    std::int64_t seed, step;
  };
  constexpr std::int64_t beyond = std::int64_t{1} << 32;
  for (const TensorSpec& x : {matrix({8, 500}), matrix({3, 37}), activation({1, 2, 3, 3, 13})}) {
    for (const ops::Dropout& op : {ops::Dropout{}, ops::Dropout{.rate = 0.3, .layer = 7}}) {
      for (const State& state : {State{1, 1}, {-5, 0}, {1, 3 * beyond}, {256 * beyond, 9}}) {
        const ops::Case<ops::Dropout> c("", op, {x, indices({2}, DType::i64)});
        BoundCase bound(c, backend_, BindOptions{.adjust = [&](std::span<ops::Tensor64> inputs) {
                          inputs[1].data = {static_cast<double>(state.seed), static_cast<double>(state.step)};
                        }});
        bound.run();
        const std::vector<float> y = bound.output();
        const auto factor = static_cast<float>(1 / (1 - op.rate));
        for (std::size_t i = 0; i < y.size(); ++i) {
          const auto value = static_cast<float>(bound.reference_inputs()[0].data[i]);
          const bool kept = op.keeps(state.seed, state.step, static_cast<std::int64_t>(i));
          ASSERT_EQ(y[i], kept ? value * factor : 0.0F) << i;
        }
      }
    }
  }
}

/// Maxima that are equal, NaN, or minus infinity, in every kernel and on every side of the image.
TEST_F(CudaTraining, KeepsPlacesAsTheReferenceDoes) {
  const ops::MaxPool3d stem{
      .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}, .keep_places = true},
      windows{.kernel = {2, 3, 2},
              .stride = {1, 2, 3},
              .padding = {1, 0, 1},
              .ceil_mode = true,
              .keep_places = true};
  for (const ops::MaxPool3d& op : {stem, windows}) {
    for (const std::int64_t channels : {5, 16}) {
      const ops::Case<ops::MaxPool3d> c("", op, {activation({1, 3, 7, 8, channels})});
      const BindOptions options{.adjust = [](std::span<ops::Tensor64> inputs) {
        for (double& x : inputs[0].data) x = x > 1 ? nan : x < 0 ? -infinity : std::round(x * 2);
      }};
      BoundCase bound(c, backend_, options);
      bound.run();
      EXPECT_EQ(bound.output(1), verify::reference_outputs(c, bound)[1]);
    }
  }
}

/// Gradients reach the cells of overlapping windows in three directions, and of windows past the last cell.
TEST_F(CudaTraining, SumsTheGradientsOfOverlappingWindows) {
  const ops::MaxPool3d op{
      .kernel = {3, 3, 2}, .stride = {1, 2, 1}, .padding = {1, 1, 0}, .ceil_mode = true, .keep_places = true};
  const TensorSpec x = activation({2, 4, 6, 5, 11});
  const ops::Case<ops::MaxPool3dGradient> c("", {op, {4, 6, 5}}, op.infer(std::vector{x}));
  for (const DType precision : {DType::f32, DType::bf16}) {
    BoundCase bound(c, backend_, precision);
    bound.run();
    expect_agreement(c, bound,
                     precision == DType::f32 ? verify::op_f32_relative_l2 : verify::op_bf16_relative_l2);
    EXPECT_EQ(bound.stray_channels(), 0);
  }
}

TEST_F(CudaTraining, PassesGradientsWhereTheOutputIsPositiveOrNan) {
  const ops::Case<ops::ReluGradient> c("", {}, std::vector<TensorSpec>(2, activation({1, 2, 3, 3, 13})));
  for (const DType precision : {DType::f32, DType::f16, DType::bf16}) {
    const BindOptions options{.precision = precision, .adjust = [](std::span<ops::Tensor64> inputs) {
                                for (double& y : inputs[1].data) y = y < -1 ? nan : y < 0 ? 0 : y;
                              }};
    BoundCase bound(c, backend_, options);
    bound.run();
    EXPECT_EQ(bound.output(), verify::reference_output(c, bound));
    EXPECT_EQ(bound.stray_channels(), 0);
  }
}

/// What lies behind a slice in x is no zero, unlike what has to lie behind it in y.
TEST_F(CudaTraining, CutsSlicesOutOfTheMiddle) {
  for (const ops::ChannelSlice& op : {ops::ChannelSlice{0, 5}, {8, 10}, {3, 7}, {1, 16}}) {
    const ops::Case<ops::ChannelSlice> c("", op, {activation({1, 2, 3, 3, 21})});
    for (const DType precision : {DType::f32, DType::bf16}) {
      BoundCase bound(c, backend_, precision);
      bound.run();
      expect_agreement(c, bound, 0);
      EXPECT_EQ(bound.stray_channels(), 0) << op.begin;
    }
  }
}

/// x is exact in f32 and of a mean that is 2000 times its deviation: what is squared must be distances.
TEST_F(CudaTraining, FindsStatisticsFarFromZero) {
  const ops::Case<ops::BatchNormTraining> c = norm_case({2, 3, 23, 31, 19}, {});
  const BindOptions options{.adjust = [](std::span<ops::Tensor64> inputs) {
    for (double& x : inputs[0].data) x = static_cast<float>(2000 + x);
    inputs[0].data[5] = 3000;  // a first value that is far from the others
  }};
  BoundCase bound(c, backend_, options);
  bound.run();
  const auto expected = verify::reference_outputs(c, bound);
  for (const std::size_t i : {1, 2, 3, 4}) {
    EXPECT_LE(verify::relative_l2(bound.output(i), expected[i]), 1e-6) << i;
  }
  EXPECT_LE(verify::relative_l2(bound.output(0), expected[0]), 2000 * 0x1p-24);  // that of the mean in f32
}

TEST_F(CudaTraining, MakesTheSameNormAgain) {
  for (const DType precision : {DType::f32, DType::f16}) {
    const ops::NormEpilogue epilogue{.residual = true, .relu = true};
    const ops::Case<ops::BatchNormTraining> c = norm_case({1, 3, 23, 31, 19}, epilogue);
    BoundCase trained(c, backend_, precision);
    trained.run();
    std::vector<TensorSpec> inputs(c.inputs.begin(), c.inputs.begin() + 5);
    inputs.push_back(c.inputs.back());
    BoundCase again(ops::Case<ops::BatchNormApply>("", {epilogue}, inputs), backend_,
                    BindOptions{.precision = precision, .adjust = [&](std::span<ops::Tensor64> values) {
                                  for (const std::size_t i : {0, 1, 2})
                                    values[i] = trained.reference_inputs()[i];
                                  values[3].data = doubles(trained.output(1));
                                  values[4].data = doubles(trained.output(2));
                                  values[5] = trained.reference_inputs()[6];
                                }});
    again.run();
    EXPECT_EQ(again.output(), trained.output());
  }
}

/// Values that the norm takes to within a rounding of zero, on either side: with dy = 1, dshift counts those
/// that the ReLU let through.
TEST_F(CudaTraining, LooksThroughTheReluThatTrainingApplied) {
  const Shape shape{1, 2, 23, 31, 24};
  const ops::Case<ops::BatchNormTraining> c = norm_case(shape, {.relu = true});
  const auto quantize = [](double& x) { x = std::round(x * 4) / 4; };
  std::vector<double> mean, inverse_std, shift(24);
  const BindOptions options{.adjust = [&](std::span<ops::Tensor64> inputs) {
    std::ranges::for_each(inputs[0].data, quantize);
    if (mean.empty()) return;
    inputs[2].data = shift;
  }};
  BoundCase first(c, backend_, options);
  first.run();
  mean = doubles(first.output(1));
  inverse_std = doubles(first.output(2));
  for (std::size_t i = 0; i < 24; ++i) {
    const double value = 0.25 * (static_cast<double>(i % 5) - 2);
    shift[i] = static_cast<float>((mean[i] - value) * inverse_std[i] * first.reference_inputs()[1].data[i]);
  }
  BoundCase trained(c, backend_, options);
  trained.run();
  std::vector<float> passed(24);
  const std::vector<float> y = trained.output();
  for (std::size_t i = 0; i < y.size(); ++i) passed[i % 24] += y[i] > 0 ? 1.0F : 0.0F;

  std::vector<TensorSpec> inputs(2, activation(shape));
  inputs.resize(6, per_channel(24));
  BoundCase gradient(ops::Case<ops::BatchNormGradient>("", {.relu = true}, inputs), backend_,
                     BindOptions{.adjust = [&](std::span<ops::Tensor64> values) {
                       std::ranges::fill(values[0].data, 1.0);
                       values[1] = trained.reference_inputs()[0];
                       values[2] = trained.reference_inputs()[1];
                       values[3].data = mean;
                       values[4].data = inverse_std;
                       values[5].data = shift;
                     }});
  gradient.run();
  EXPECT_EQ(gradient.output(2), passed);
}

}  // namespace
}  // namespace tpn
