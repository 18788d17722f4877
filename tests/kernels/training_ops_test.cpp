// Operations of training against values computed by hand or published.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/op_list.h"

namespace tpn {
namespace {

using ops::Tensor64;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor64 tensor(const Shape& shape, std::vector<double> values) {
  Tensor64 result(shape);
  result.data = std::move(values);
  return result;
}
Tensor64 number(double value) {
  return tensor({}, {value});
}

template <class Op>
std::vector<Tensor64> run(const Op& op, const std::vector<TensorSpec>& specs,
                          const std::vector<Tensor64>& inputs) {
  std::vector<Tensor64> outputs;
  for (const TensorSpec& spec : op.infer(specs)) outputs.emplace_back(spec.shape);
  op.forward(inputs, outputs);
  return outputs;
}

void expect_near(const Tensor64& found, const std::vector<double>& expected, double tolerance = 1e-12) {
  ASSERT_EQ(found.data.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found.data[i], expected[i], tolerance) << i;
}

/// Two rows of logits with the probabilities 1/4 and 3/4.
class CrossEntropyOfQuarters : public ::testing::Test {
 protected:
  [[nodiscard]] double loss(const ops::CrossEntropy& op, std::vector<double> labels,
                            std::vector<double> class_weights = {}) const {
    std::vector<TensorSpec> specs{matrix({2, 2}), indices({2}, DType::i64)};
    std::vector<Tensor64> inputs{logits_, tensor({2}, std::move(labels))};
    if (!class_weights.empty()) {
      specs.push_back(per_channel(2));
      inputs.push_back(tensor({2}, std::move(class_weights)));
    }
    return run(op, specs, inputs)[0].data[0];
  }

  Tensor64 logits_ = tensor({2, 2}, {100, 100 + std::log(3), 0, std::log(3)});
  double quarter_ = std::log(4), three_quarters_ = std::log(4.0 / 3);  ///< -log p
};

TEST_F(CrossEntropyOfQuarters, IsTheMeanOfTheRows) {
  EXPECT_NEAR(loss({}, {1, 0}), (three_quarters_ + quarter_) / 2, 1e-12);
  EXPECT_NEAR(loss({.weight = 0.5}, {1, 1}), three_quarters_ / 2, 1e-12);
}

TEST_F(CrossEntropyOfQuarters, SpreadsSmoothedLabelsOverAllClasses) {
  EXPECT_NEAR(loss({.label_smoothing = 0.2}, {1, 1}), 0.9 * three_quarters_ + 0.1 * quarter_, 1e-12);
  EXPECT_NEAR(loss({.label_smoothing = 1}, {0, 1}), (three_quarters_ + quarter_) / 2, 1e-12);
}

TEST_F(CrossEntropyOfQuarters, DividesByTheWeightsOfTheLabels) {
  EXPECT_NEAR(loss({}, {1, 0}, {1, 3}), (3 * three_quarters_ + quarter_) / 4, 1e-12);
  EXPECT_NEAR(loss({.label_smoothing = 0.2}, {1, 1}, {1, 3}), (2.7 * three_quarters_ + 0.1 * quarter_) / 3,
              1e-12);
}

TEST_F(CrossEntropyOfQuarters, NamesTheRowOfALabelThatIsNoClass) {
  for (const double label : {-1.0, 2.0}) {
    try {
      (void)loss({}, {0, label});
      ADD_FAILURE() << "the label " << label << " was taken";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("row 1"), std::string::npos) << e.what();
    }
  }
}

TEST_F(CrossEntropyOfQuarters, HasTheGradientOfProbabilitiesLessLabels) {
  const ops::CrossEntropyGradient gradient{{.weight = 0.5}};
  const std::vector<TensorSpec> specs{matrix({2, 2}), indices({2}, DType::i64), scalar()};
  const auto dlogits = run(gradient, specs, {logits_, tensor({2}, {1, 0}), number(8)});
  expect_near(dlogits[0], {0.5, -0.5, -1.5, 1.5});  // 8 * 0.5 / 2 (p - label)
}

const std::vector<TensorSpec> norm_of_two{
    activation({2, 1, 1, 1, 1}), per_channel(1), per_channel(1), per_channel(1), per_channel(1),
    indices({}, DType::i64)};

TEST(BatchNormTraining, KeepsRunningStatisticsWithTheUnbiasedVariance) {
  const auto outputs = run(ops::BatchNormTraining{.eps = 0, .momentum = 0.1}, norm_of_two,
                           {tensor({2, 1, 1, 1, 1}, {1, 3}), tensor({1}, {4}), tensor({1}, {0.5}),
                            tensor({1}, {10}), tensor({1}, {5}), number(7)});
  expect_near(outputs[0], {-3.5, 4.5});  // mean 2, biased variance 1
  expect_near(outputs[1], {2});
  expect_near(outputs[2], {1});
  expect_near(outputs[3], {9.2});
  expect_near(outputs[4], {4.7});  // 0.9 * 5 + 0.1 * 2
  expect_near(outputs[5], {8});
}

TEST(BatchNormTraining, RefusesASingleValuePerChannel) {
  std::vector<TensorSpec> specs = norm_of_two;
  EXPECT_NO_THROW((void)ops::BatchNormTraining{}.infer(specs));
  specs[0] = activation({1, 1, 1, 1, 1});
  EXPECT_THROW((void)ops::BatchNormTraining{}.infer(specs), Error);
}

std::vector<Tensor64> sgd(const ops::Sgd& op, double rate, double loss_scale, double norm, double p, double g,
                          double m) {
  const TensorSpec parameter = per_channel(1);
  return run(
      op, {scalar(), scalar(), scalar(), parameter, parameter, parameter},
      {number(rate), number(loss_scale), number(norm), tensor({1}, {p}), tensor({1}, {g}), tensor({1}, {m})});
}

TEST(Sgd, MakesThreeStepsAsComputedByHand) {
  const ops::Sgd op{.momentum = 0.5, .weight_decay = 0.1, .nesterov = true, .max_norm = 0};
  auto state = sgd(op, 0.1, 2, 1, 1, 1.8, 0);  // d = 0.9 + 0.1
  expect_near(state[0], {0.85});
  expect_near(state[1], {1});
  state = sgd(op, 0.1, 2, 1, state[0].data[0], 0.43, state[1].data[0]);  // d = 0.215 + 0.085
  expect_near(state[0], {0.78});
  expect_near(state[1], {0.8});
  state = sgd(op, 0.1, 2, 1, state[0].data[0], -0.156, state[1].data[0]);  // d = -0.078 + 0.078
  expect_near(state[0], {0.76});
  expect_near(state[1], {0.4});
}

TEST(Sgd, GoesAlongTheBufferWithoutNesterov) {
  const auto state =
      sgd({.momentum = 0.5, .weight_decay = 0, .nesterov = false, .max_norm = 0}, 0.1, 1, 1, 1, 2, 4);
  expect_near(state[0], {0.6});
  expect_near(state[1], {4});
}

TEST(Sgd, ClipsBeforeItAddsTheWeightDecay) {
  const ops::Sgd op{.momentum = 0, .weight_decay = 0.5, .max_norm = 1};
  expect_near(sgd(op, 0.1, 1, 4, 2, 2, 0)[1], {2 / (4 + 1e-6) + 1});
  expect_near(sgd(op, 0.1, 1, 0.5, 2, 2, 0)[1], {3});
}

TEST(Sgd, UpdatesNothingWhenTheNormIsNotFinite) {
  for (const double norm : {infinity, nan}) {
    const auto state = sgd({.max_norm = 1}, 0.1, 1, norm, 2, infinity, 3);
    EXPECT_EQ(state[0].data[0], 2);
    EXPECT_EQ(state[1].data[0], 3);
  }
}

TEST(GradientNorm, IsThatOfAllGradientsWithoutTheLossScale) {
  const auto norm = run(ops::GradientNorm{}, {scalar(), weight({1, 2}), per_channel(1)},
                        {number(4), tensor({1, 2}, {4, 8}), tensor({1}, {-8})});
  expect_near(norm[0], {3});
}

TEST(Aliases, AreTheStateOfAnOperation) {
  using Aliases = std::vector<ops::Alias>;
  EXPECT_EQ(aliases(ops::BatchNormTraining{}, 6), (Aliases{{3, 3}, {4, 4}, {5, 5}}));
  EXPECT_EQ(aliases(ops::Sgd{}, 9), (Aliases{{0, 3}, {1, 5}, {2, 6}, {3, 8}}));
  EXPECT_EQ(aliases(ops::Relu{}, 1), Aliases{});
}

/// The known answers that come with the generator's authors' Random123 library.
TEST(Philox, GivesThePublishedWords) {
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

std::vector<double> dropped_ones(const ops::Dropout& op, double seed, double step) {
  const Tensor64 x = tensor({8, 500}, std::vector<double>(4000, 1.0));
  return run(op, {matrix({8, 500}), indices({2}, DType::i64)}, {x, tensor({2}, {seed, step})})[0].data;
}

TEST(Dropout, DropsTheShareAndScalesTheRest) {
  const std::vector<double> y = dropped_ones({.rate = 0.25}, 3, 5);
  const auto dropped = std::count(y.begin(), y.end(), 0.0);
  EXPECT_EQ(dropped + std::count(y.begin(), y.end(), 1 / 0.75), 4000);
  EXPECT_NEAR(static_cast<double>(dropped), 1000, 110);  // four standard deviations
  EXPECT_EQ(dropped_ones({.rate = 0}, 3, 5), std::vector<double>(4000, 1.0));
}

TEST(Dropout, DependsOnSeedStepAndLayerOnly) {
  const std::vector<double> y = dropped_ones({.layer = 1}, 3, 5);
  EXPECT_EQ(dropped_ones({.layer = 1}, 3, 5), y);
  EXPECT_NE(dropped_ones({.layer = 2}, 3, 5), y);
  EXPECT_NE(dropped_ones({.layer = 1}, 4, 5), y);
  EXPECT_NE(dropped_ones({.layer = 1}, 3, 6), y);
  constexpr double beyond = 4294967296.0;  // of 32 bits
  EXPECT_NE(dropped_ones({.layer = 1}, 3 + beyond, 5), y);
  EXPECT_NE(dropped_ones({.layer = 1}, 3, 5 + beyond), y);
}

TEST(Dropout, RefusesToDropAll) {
  const std::vector<TensorSpec> specs{matrix({1, 1}), indices({2}, DType::i64)};
  for (const double rate : {1.0, -0.1, nan})
    EXPECT_THROW((void)ops::Dropout{.rate = rate}.infer(specs), Error);
}

TEST(MaxPool3dPlaces, KeepsTheFirstMaximumAndTheLastNan) {
  const ops::MaxPool3d op{.kernel = {1, 1, 3}, .stride = {1, 1, 3}, .keep_places = true};
  const auto outputs =
      run(op, {activation({1, 1, 1, 12, 1})},
          {tensor({1, 1, 1, 12, 1}, {1, 7, 7, nan, 9, nan, -infinity, -infinity, -infinity, nan, 2, 1})});
  expect_near(outputs[1], {1, 2, 0, 0});
  EXPECT_EQ(outputs[0].data[0], 7);
  EXPECT_TRUE(std::isnan(outputs[0].data[1]));
  EXPECT_EQ(outputs[0].data[2], -infinity);
  EXPECT_TRUE(std::isnan(outputs[0].data[3]));
}

TEST(MaxPool3dPlaces, CountsPlacesWithThePadding) {
  const ops::MaxPool3d op{
      .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}, .keep_places = true};
  const auto outputs = run(op, {activation({1, 1, 2, 3, 1})}, {tensor({1, 1, 2, 3, 1}, {1, 2, 3, 4, 6, 5})});
  expect_near(outputs[0], {6, 6});
  expect_near(outputs[1], {8, 6});
  const auto dx = run(ops::MaxPool3dGradient{op, {1, 2, 3}},
                      {activation({1, 1, 1, 2, 1}), indices({1, 1, 1, 2, 1}, DType::u8)},
                      {tensor({1, 1, 1, 2, 1}, {10, 20}), outputs[1]});
  expect_near(dx[0], {0, 0, 0, 0, 30, 0});
}

TEST(MaxPool3dPlaces, RefusesWindowsWhosePlacesAreNoBytes) {
  const std::vector<TensorSpec> x{activation({1, 16, 17, 17, 1})};
  const ops::MaxPool3d largest{.kernel = {1, 16, 16}, .keep_places = true},
      larger{.kernel = {1, 16, 17}, .keep_places = true};
  EXPECT_NO_THROW((void)largest.infer(x));
  EXPECT_THROW((void)larger.infer(x), Error);
}

TEST(ReluGradient, PassesWhereTheOutputIsNanAsInPyTorch) {
  const TensorSpec four = activation({1, 1, 1, 4, 1});
  const auto dx = run(ops::ReluGradient{}, {four, four},
                      {tensor(four.shape, {1, 2, 3, 4}), tensor(four.shape, {0, 5, nan, -1})});
  expect_near(dx[0], {0, 2, 3, 0});
}

}  // namespace
}  // namespace tpn
