// The gradients that operations declare against finite differences of their references, in double.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/op_list.h"
#include "kernels/verify/random_tensor.h"

namespace tpn {
namespace {

using ops::Tensor64;

/// A tensor and what it is.
struct Value {
  Tensor64 tensor;
  TensorSpec spec;
};

std::vector<Value> evaluate(const AnyOp& op, const std::vector<Value>& inputs) {
  std::vector<TensorSpec> specs;
  std::vector<Tensor64> tensors, outputs;
  for (const Value& input : inputs) {
    specs.push_back(input.spec);
    tensors.push_back(input.tensor);
  }
  const std::vector<TensorSpec> results = infer(op, specs);
  for (const TensorSpec& spec : results) outputs.emplace_back(spec.shape);
  std::visit([&](const auto& o) { o.forward(tensors, outputs); }, op);
  std::vector<Value> values;
  for (std::size_t i = 0; i < results.size(); ++i) values.push_back({std::move(outputs[i]), results[i]});
  return values;
}

/// A node seen from its backward pass, whose operations are evaluated at once.
class Gradients {
 public:
  Gradients(std::vector<Value> inputs, std::vector<Value> outputs, Value output_gradient,
            std::set<std::size_t> wanted)
      : inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        output_gradient_(std::move(output_gradient)),
        wanted_(std::move(wanted)) {}

  [[nodiscard]] std::size_t input_count() const { return inputs_.size(); }
  [[nodiscard]] const Value& input(std::size_t i) const { return inputs_.at(i); }
  [[nodiscard]] const Value& output(std::size_t i) const { return outputs_.at(i); }
  [[nodiscard]] const TensorSpec& input_spec(std::size_t i) const { return inputs_.at(i).spec; }
  [[nodiscard]] const Value& output_gradient() const { return output_gradient_; }
  [[nodiscard]] bool wants(std::size_t i) const { return wanted_.contains(i); }

  std::vector<Value> apply(const AnyOp& op, const std::vector<Value>& values) {
    ++operations_;
    return evaluate(op, values);
  }

  void set_gradient(std::size_t i, const Value& gradient) {
    EXPECT_TRUE(wants(i)) << "the gradient of input " << i << " is not wanted";
    EXPECT_EQ(to_string(gradient.spec), to_string(inputs_.at(i).spec)) << "of input " << i;
    EXPECT_TRUE(found_.emplace(i, gradient.tensor).second) << "two gradients of input " << i;
  }

  [[nodiscard]] int operations() const { return operations_; }
  [[nodiscard]] const std::map<std::size_t, Tensor64>& found() const { return found_; }

 private:
  std::vector<Value> inputs_, outputs_;
  Value output_gradient_;
  std::set<std::size_t> wanted_;
  std::map<std::size_t, Tensor64> found_;
  int operations_ = 0;
};

/// A node of which output 0 is computed again.
class Recomputed {
 public:
  Recomputed(std::vector<Value> inputs, std::vector<Value> outputs)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  [[nodiscard]] const Value& input(std::size_t i) const { return inputs_.at(i); }
  [[nodiscard]] const Value& output(std::size_t i) const {
    EXPECT_NE(i, 0U) << "what is to be computed again is not there";
    return outputs_.at(i);
  }
  [[nodiscard]] const std::vector<Value>& inputs() const { return inputs_; }
  static std::vector<Value> apply(const AnyOp& op, const std::vector<Value>& values) {
    return evaluate(op, values);
  }

 private:
  std::vector<Value> inputs_, outputs_;
};

template <class Op>
concept IsRecomputed = requires(const Op& op, const Recomputed& values) {
  op.recompute(values);  // declared in the operation's header
};

template <class Op>
concept HasGradient = requires(const Op& op, Gradients& g) {
  op.differentiate(g);  // declared in the operation's header
};

/// Inputs that are constants to the gradients of an operation, beside whole numbers: running statistics and
/// class weights.
std::set<std::size_t> constants_of(std::string_view op) {
  if (op == ops::BatchNorm::name || op == ops::BatchNormTraining::name) return {3, 4};
  if (op == ops::CrossEntropy::name) return {2};
  return {};
}

/// Distinct values, evenly spread over [-2, 2] without 0 or over [0.5, 1.5], in random order: no rectifier
/// and no maximum has a kink within a finite difference of them.
Tensor64 separated(const Shape& shape, bool positive, std::mt19937& generator) {
  Tensor64 tensor(shape);
  const auto count = static_cast<double>(tensor.data.size());
  for (std::size_t i = 0; i < tensor.data.size(); ++i) {
    const double part = (static_cast<double>(i) + 0.5) / count;  // in (0, 1)
    tensor.data[i] = positive ? 0.5 + part : 4 * part - 2 + 0.25 / count;
  }
  std::shuffle(tensor.data.begin(), tensor.data.end(), generator);
  return tensor;
}

template <class Op>
std::vector<Value> draw_inputs(const ops::Case<Op>& c, std::mt19937& generator) {
  std::vector<Tensor64> tensors;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    tensors.push_back(separated(c.inputs[i].shape, c.range(i) == ops::Range::positive, generator));
    if (c.inputs[i].kind == Kind::index) std::ranges::fill(tensors.back().data, 1.0);
  }
  if constexpr (requires { c.op.constrain(std::span(tensors)); }) c.op.constrain(std::span(tensors));
  std::vector<Value> inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) inputs.push_back({std::move(tensors[i]), c.inputs[i]});
  return inputs;
}

/// Directions in which an input is moved: every element alone, or of a large input some of them and a few of
/// all elements at once, in which a wrong element shows too.
std::vector<Tensor64> directions(const Shape& shape, std::mt19937& generator) {
  constexpr std::size_t most = 48, together = 4;
  const auto count = static_cast<std::size_t>(shape.count());
  std::vector<std::size_t> elements(count);
  std::iota(elements.begin(), elements.end(), std::size_t{0});
  if (count > most) {
    std::shuffle(elements.begin(), elements.end(), generator);
    elements.resize(most);
  }
  std::vector<Tensor64> result;
  for (const std::size_t element : elements) result.emplace_back(shape).data[element] = 1;
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (std::size_t i = 0; i < together && count > most; ++i) {
    for (double& d : result.emplace_back(shape).data) d = uniform(generator);
  }
  return result;
}

/// L = sum of weights times output 0: how it changes with input i along a direction, by a central difference
/// of the step. Its error is of the order of the step squared and of 1e-16 / step.
double finite_difference(const AnyOp& op, const std::vector<Value>& inputs, std::size_t i,
                         const Tensor64& direction, const Tensor64& weights) {
  constexpr double step = 1e-6;
  const auto moved = [&](double by) {
    std::vector<Value> there = inputs;
    for (std::size_t j = 0; j < direction.data.size(); ++j) there[i].tensor.data[j] += by * direction.data[j];
    return evaluate(op, there)[0].tensor;
  };
  const Tensor64 ahead = moved(step), behind = moved(-step);
  double sum = 0;
  for (std::size_t j = 0; j < weights.data.size(); ++j) {
    sum += weights.data[j] * (ahead.data[j] - behind.data[j]);
  }
  return sum / (2 * step);
}

double dot(const Tensor64& a, const Tensor64& b) {
  return std::inner_product(a.data.begin(), a.data.end(), b.data.begin(), 0.0);
}

template <class Op>
void check_gradients(const ops::Case<Op>& c) {
  constexpr double tolerance = 1e-6;  // of values around 1: far above finite_difference()'s error
  std::mt19937 generator(1);
  const std::vector<Value> inputs = draw_inputs(c, generator);
  const std::vector<Value> outputs = evaluate(c.op, inputs);
  const Tensor64 weights =
      verify::random_tensor(outputs[0].spec.shape, ops::Range::symmetric, generator, false);
  const auto differentiate = [&](const std::set<std::size_t>& wanted) {
    Gradients g(inputs, outputs, {weights, outputs[0].spec}, wanted);
    c.op.differentiate(g);
    return g;
  };

  EXPECT_EQ(differentiate({}).operations(), 0) << "work for a gradient that nobody wants";
  std::set<std::size_t> all;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].spec.kind != Kind::index && !constants_of(Op::name).contains(i)) all.insert(i);
  }
  ASSERT_FALSE(all.empty());
  const Gradients together = differentiate(all);
  ASSERT_EQ(together.found().size(), all.size());
  for (const std::size_t i : all) {
    const Gradients alone = differentiate({i});
    EXPECT_LE(alone.operations(), together.operations());
    ASSERT_TRUE(alone.found().contains(i)) << "no gradient of input " << i;
    const Tensor64& gradient = alone.found().at(i);
    EXPECT_EQ(gradient.data, together.found().at(i).data) << "of input " << i;
    for (const Tensor64& direction : directions(inputs[i].spec.shape, generator)) {
      const double expected = finite_difference(c.op, inputs, i, direction, weights);
      ASSERT_NEAR(dot(gradient, direction), expected, tolerance * std::max(1.0, std::abs(expected)))
          << "of input " << i;
    }
  }
}

/// Fused operations, made for inference only, and what is no part of a network that learns.
constexpr std::string_view without_gradient[] = {
    ops::Softmax::name,     ops::FusedConv3d::name, ops::TemporalModulation::name,
    ops::LevelFusion::name, ops::Classifier::name,  ops::ViewScores::name};

template <class Op>
bool keeps_what_its_gradient_needs(const Op& op) {
  if constexpr (requires { op.keep_places; }) return op.keep_places;
  return true;
}

template <class Op>
class DeclaredGradients : public ::testing::Test {};

template <class List>
struct TestTypes;
template <class... Op>
struct TestTypes<std::variant<Op...>> {
  using Types = ::testing::Types<Op...>;
};

struct OpName {
  template <class Op>
  static std::string GetName(int) {
    return std::string(Op::name);
  }
};
TYPED_TEST_SUITE(DeclaredGradients, TestTypes<AnyOp>::Types, OpName);

TYPED_TEST(DeclaredGradients, AreFiniteDifferences) {
  if constexpr (HasGradient<TypeParam>) {
    EXPECT_EQ(std::ranges::count(without_gradient, TypeParam::name), 0);
    int cases = 0;
    for (const ops::Case<TypeParam>& c : TypeParam::cases()) {
      if (c.full_size || !keeps_what_its_gradient_needs(c.op)) continue;
      SCOPED_TRACE(c.label);
      check_gradients(c);
      ++cases;
    }
    EXPECT_GT(cases, 0) << "an operation with a gradient has no case";
  }
}

TYPED_TEST(DeclaredGradients, ReadWhatIsComputedAgainAsItWas) {
  if constexpr (IsRecomputed<TypeParam>) {
    for (const ops::Case<TypeParam>& c : TypeParam::cases()) {
      if (c.full_size) continue;
      SCOPED_TRACE(c.label);
      std::mt19937 generator(1);
      const std::vector<Value> inputs = draw_inputs(c, generator), outputs = evaluate(c.op, inputs);
      const std::vector<Value> again = c.op.recompute(Recomputed(inputs, outputs));
      ASSERT_EQ(again.size(), 1U);
      EXPECT_EQ(again[0].spec, outputs[0].spec);
      EXPECT_EQ(again[0].tensor.data, outputs[0].tensor.data);
    }
  }
}

TEST(Gradients, ReadCheapValuesThatAreComputedAgain) {
  std::set<std::string_view> declared;
  for_each_op([&]<class Op>(std::type_identity<Op>) {
    if (IsRecomputed<Op>) declared.insert(Op::name);
  });
  for (const std::string_view name :
       {ops::Add::name, ops::BatchNorm::name, ops::BatchNormTraining::name, ops::Concat::name,
        ops::Relu::name, ops::TemporalShift::name, ops::Upsample::name}) {
    EXPECT_TRUE(declared.contains(name)) << name;
  }
}

/// The operations of a network that learns.
TEST(Gradients, AreDeclaredByEveryOperationThatNetworksLearnWith) {
  std::set<std::string_view> declared;
  for_each_op([&]<class Op>(std::type_identity<Op>) {
    if (HasGradient<Op>) declared.insert(Op::name);
  });
  for (const std::string_view name :
       {ops::Conv3d::name, ops::BatchNorm::name, ops::BatchNormTraining::name, ops::Relu::name,
        ops::Add::name, ops::GlobalAvgPool::name, ops::MaxPool3d::name, ops::TemporalShift::name,
        ops::Upsample::name, ops::Concat::name, ops::Linear::name, ops::Dropout::name,
        ops::CrossEntropy::name}) {
    EXPECT_TRUE(declared.contains(name)) << name;
  }
  for (const std::string_view name : without_gradient) EXPECT_FALSE(declared.contains(name)) << name;
}

TEST(Gradients, OfAPoolNeedItsPlaces) {
  const ops::Case<ops::MaxPool3d> c("no_places", {.kernel = {1, 2, 2}}, {activation({1, 1, 3, 3, 1})});
  std::mt19937 generator(1);
  const std::vector<Value> inputs = draw_inputs(c, generator), outputs = evaluate(c.op, inputs);
  Gradients g(inputs, outputs, outputs[0], {0});
  EXPECT_THROW(c.op.differentiate(g), Error);
}

}  // namespace
}  // namespace tpn
