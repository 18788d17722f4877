#include "engine/plan/plan.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/networks/initialize.h"
#include "engine/networks/network.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference_backend.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/changed_weights.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

using verify::relative_l2;

/// A tiny network with random weights, and an input.
class PlanTest : public ::testing::Test {
 protected:
  explicit PlanTest(const std::string& name = "tpn-slowonly-r50-8x8") : config_(test::tiny_config(name)) {
    write_random_model(config_, Initialization::varied, 1, {}, directory_.path() / "model.safetensors");
    weights_ = Weights::load(directory_.path() / "model.safetensors");
  }

  [[nodiscard]] std::shared_ptr<const Plan> plan(const PlanOptions& options,
                                                 const InputSize& size = {2, 8, 32, 40},
                                                 std::shared_ptr<const Backend> backend = nullptr) const {
    if (!backend) backend = std::make_shared<CpuBackend>(2);
    return std::make_shared<Plan>(build_network(config_, size), std::move(backend), *weights_, options);
  }

  /// Fills the input with the same values every time, and runs.
  static void run(Executor& executor) {
    const TensorView input = executor.input();
    std::vector<float> values(static_cast<std::size_t>(input.shape.count()));
    std::mt19937 generator(7);
    std::normal_distribution<float> normal;
    for (float& value : values) value = normal(generator);
    convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, input.data, input.dtype,
            values.size());
    executor.run();
  }

  test::TemporaryDirectory directory_;
  Config config_;
  std::shared_ptr<const Weights> weights_;
};

TEST_F(PlanTest, FusedEqualsUnfused) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (!supports(CpuBackend(1), precision)) continue;
    const bool half = precision == Precision::bf16;
    Executor fused(plan({.precision = precision})), unfused(plan({.precision = precision, .fuse = false}));
    EXPECT_LT(fused.plan().steps().size() * 2, unfused.plan().steps().size());
    run(fused);
    run(unfused);
    // Unfused bf16 rounds between the operations that the fused plan computes in one go.
    EXPECT_LE(relative_l2(fused.feature("logits").values, unfused.feature("logits").values),
              half ? verify::unfused_bf16_relative_l2 : verify::network_f32_relative_l2);
  }
}

TEST_F(PlanTest, KeepingFeaturesChangesNoResult) {
  std::vector<std::string> features;
  const Graph graph = build_network(config_, {2, 8, 32, 40});
  for (const auto& [name, id] : graph.features()) features.push_back(name);
  EXPECT_EQ(features.size(),
            5U + 4 * 2 + 3 + 2);  // stem, stages; four per level; fusions and neck; pooled, logits
  Executor all(plan({.features = features})), few(plan({}));
  run(all);
  run(few);
  EXPECT_LE(relative_l2(all.feature("logits").values, few.feature("logits").values),
            verify::network_f32_relative_l2);
  EXPECT_LE(few.plan().arena_bytes(), all.plan().arena_bytes());
}

TEST_F(PlanTest, AgreesWithTheReferenceBackend) {
  Executor cpu(plan({}));
  Executor reference(
      plan({.fuse = false, .exact = true}, {2, 8, 32, 40}, std::make_shared<ReferenceBackend>()));
  run(cpu);
  run(reference);
  EXPECT_LE(relative_l2(cpu.feature("logits").values, reference.feature("logits").values),
            verify::network_f32_relative_l2);
}

TEST_F(PlanTest, RunsOnTheInputThatIsThere) {
  // Where memory is not the host's, an input has to go there for every run.
  for (const std::int64_t alignment : {1, 8}) {
    const auto backend = std::make_shared<ReferenceBackend>(alignment);
    const auto reference = plan({}, {1, 8, 32, 32}, backend);
    Executor executor(reference), fresh(reference);
    run(executor);
    const std::vector<float> first = executor.feature("logits").values;
    const TensorView input = executor.input();
    std::fill_n(elements<float>(input), input.shape.count(), 0.5F);
    executor.run();
    const std::vector<float> second = executor.feature("logits").values;
    EXPECT_GT(relative_l2(second, first), 1e-3);
    std::fill_n(elements<float>(fresh.input()), input.shape.count(), 0.5F);
    fresh.run();
    EXPECT_EQ(fresh.feature("logits").values, second);
    run(executor);
    EXPECT_EQ(executor.feature("logits").values, first);
  }
}

TEST_F(PlanTest, SharesPackedWeightsBetweenBatchSizes) {
  const auto one = plan({}, {1, 8, 32, 40});
  const auto three = plan({}, {3, 8, 32, 40});
  Executor first(one), second(three);
  run(first);
  run(second);
  // Each view goes through the network by itself: the first view of both batches is the same.
  const std::vector<float> alone = first.feature("logits").values, batched = second.feature("logits").values;
  ASSERT_EQ(batched.size(), 3 * alone.size());
  EXPECT_LE(relative_l2(alone, std::span(batched).first(alone.size())), verify::network_f32_relative_l2);
}

/// Everything that steps read of parameters.
std::set<const std::byte*> parameters_of(const Plan& plan) {
  std::set<const std::byte*> found;
  for (const Step& step : plan.steps()) {
    for (const FormSlot& form : step.packed) found.insert(form.bytes);
    for (const Slot& slot : step.inputs) {
      if (slot.values != nullptr) found.insert(slot.values);
    }
  }
  return found;
}

TEST_F(PlanTest, SharesAllWeightsWithAnotherPlanOfTheSameShapes) {
  const auto first = plan({}), second = plan({.features = {"stage1"}});
  EXPECT_GT(parameters_of(*first).size(), 30U);
  EXPECT_EQ(parameters_of(*first), parameters_of(*second));
}

TEST_F(PlanTest, KeepsTheWeightsOfTwoModelsApart) {
  write_random_model(config_, Initialization::varied, 2, {}, directory_.path() / "other.safetensors");
  const auto other = Weights::load(directory_.path() / "other.safetensors");
  const auto backend = std::make_shared<CpuBackend>(2);
  const Graph graph = build_network(config_, {2, 8, 32, 40});
  const auto mine = std::make_shared<Plan>(graph, backend, *weights_, PlanOptions{});
  const auto others = std::make_shared<Plan>(graph, backend, *other, PlanOptions{});
  std::vector<const std::byte*> shared;
  std::ranges::set_intersection(parameters_of(*mine), parameters_of(*others), std::back_inserter(shared));
  EXPECT_TRUE(shared.empty());
  Executor first(mine), second(others);
  run(first);
  run(second);
  EXPECT_GT(relative_l2(first.feature("logits").values, second.feature("logits").values), 1e-2);
}

TEST_F(PlanTest, RunsInSeveralThreadsAtOnce) {
  const auto shared = plan({}, {1, 8, 32, 40});
  Executor alone(shared);
  run(alone);
  const std::vector<float> expected = alone.feature("logits").values;
  std::vector<std::vector<float>> found(3);
  std::vector<std::thread> threads;
  for (std::vector<float>& logits : found) {
    threads.emplace_back([&] {
      Executor executor(shared);
      run(executor);
      logits = executor.feature("logits").values;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& logits : found)
    EXPECT_LE(relative_l2(logits, expected), verify::network_f32_relative_l2);
}

TEST_F(PlanTest, RunsInTheMemoryOfAnotherExecutorWhereItSuffices) {
  const auto large = plan({}, {3, 8, 32, 40}), small = plan({}, {1, 8, 32, 40});
  const auto logits = [](Executor& executor) {
    run(executor);
    return executor.feature("logits").values;
  };
  Executor first(large), own(small), guest(small, nullptr, first.arena());
  EXPECT_EQ(guest.arena(), first.arena());
  const std::vector<float> many = logits(first), one = logits(own);
  EXPECT_EQ(logits(guest), one);
  EXPECT_EQ(logits(first), many);
  Executor too_large(large, nullptr, own.arena());
  EXPECT_NE(too_large.arena(), own.arena());
  EXPECT_EQ(logits(too_large), many);
}

/// y = w x + x: kernels would add in the memory of x, which they still read.
TEST_F(PlanTest, DoesNotOverwriteAResidualThatIsReadElsewhere) {
  const std::vector<ParameterSpec> specs = parameter_specs(config_);
  const auto square = std::find_if(specs.begin(), specs.end(), [](const ParameterSpec& spec) {
    const Shape& s = spec.shape;
    return s.rank() == 5 && s[0] == s[1] && s[2] * s[3] * s[4] == 1;
  });
  ASSERT_NE(square, specs.end());
  Graph graph;
  const ValueId x = graph.add_input("x", activation({2, 8, 6, 7, square->shape[1]}));
  const ValueId w = graph.add_constant(square->name, weight(square->shape), Role::parameter);
  const ValueId conv = graph.apply(ops::Conv3d{}, {x, w}, "conv");
  const ValueId sum = graph.apply(ops::Add{}, {conv, x}, "sum");
  graph.set_role(sum, Role::output);
  graph.add_feature("sum", sum);
  const auto run_on = [&](std::shared_ptr<const Backend> backend) {
    Executor executor(std::make_shared<Plan>(graph, std::move(backend), *weights_, PlanOptions{}));
    EXPECT_EQ(executor.plan().steps().size(), 1U);
    const Step& step = executor.plan().steps()[0];
    EXPECT_GE(step.kernel->in_place_input(), 0);
    EXPECT_NE(step.inputs.front().offset,
              step.outputs.front().offset);  // some kernels would get away with it
    run(executor);
    return executor.feature("sum").values;
  };
  const auto unfused =
      std::make_shared<Plan>(graph, std::make_shared<CpuBackend>(1), *weights_, PlanOptions{.fuse = false});
  Executor expected(unfused);
  run(expected);
  EXPECT_LE(relative_l2(run_on(std::make_shared<CpuBackend>(2)), expected.feature("sum").values),
            verify::network_f32_relative_l2);
}

TEST_F(PlanTest, RefusesWhatItCannotDo) {
  EXPECT_THROW((void)plan({.precision = Precision::f16}), Error);
  EXPECT_THROW((void)plan({.features = {"stage9"}}), Error);
  EXPECT_THROW(build_network(config_, {1, 8, 0, 40}), Error);
  Executor executor(plan({}));
  EXPECT_THROW((void)executor.result("stage1"), Error);
}

TEST_F(PlanTest, NamesTheWeightThatDoesNotFit) {
  Config other = config_;
  other.head.num_classes += 1;
  try {
    Plan(build_network(other, {}), std::make_shared<CpuBackend>(1), *weights_, {});
    FAIL() << "a classifier of another size was accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("cls_head.fc_cls.weight"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("model.safetensors"), std::string::npos) << e.what();
  }
}

TEST_F(PlanTest, NamesTheVarianceThatHasNoResult) {
  const std::string name = "backbone.layer1.0.conv2.bn.running_var";
  weights_ = test::change_weight(directory_.path() / "model.safetensors", name, 3, -2);
  for (const bool fuse : {true, false}) {
    test::expect_variance_refused(name, [&] { (void)plan({.fuse = fuse}); });
  }
}

}  // namespace
}  // namespace tpn
