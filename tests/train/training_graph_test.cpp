#include "engine/train/training_graph.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/networks/initialize.h"
#include "kernels/reference_backend.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

constexpr InputSize size{2, 8, 32, 32};

std::size_t count(const Graph& graph, std::string_view op) {
  return static_cast<std::size_t>(
      std::ranges::count_if(graph.nodes(), [&](const Node& node) { return name_of(node.op) == op; }));
}

TEST(TrainingGraph, LearnsEveryParameterAndKeepsEveryStatistic) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8");
  const Graph graph = build_training_graph(config, size, {});
  for (const ParameterSpec& spec : parameter_specs(config)) {
    const auto updated = std::ranges::count_if(graph.values(), [&](const Value& value) {
      return value.updates >= 0 && graph.value(value.updates).name == spec.name;
    });
    EXPECT_EQ(updated, 1) << spec.name;
  }
  EXPECT_EQ(count(graph, "batch_norm"), 0U);
  EXPECT_EQ(count(graph, "dropout"), 4U);  // two heads, forward and backward
}

TEST(TrainingGraph, LeavesFrozenModulesAsTheyAre) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8");
  const std::vector<std::string> frozen{"backbone", "neck.aux_head.conv"};
  const Graph graph = build_training_graph(config, size, {.form = {.dropout = 0, .frozen = frozen}});
  std::size_t learned = 0;
  for (const Value& value : graph.values()) {
    if (value.updates < 0) continue;
    ++learned;
    const std::string& name = graph.value(value.updates).name;
    EXPECT_FALSE(name.starts_with("backbone.") || name.starts_with("neck.aux_head.conv.")) << name;
  }
  EXPECT_GT(learned, 0U);
  // Nothing of the backbone is computed backward, or kept for that.
  const std::size_t frozen_convolutions =
      count(build_training_graph(config, size, {}), "conv3d_weight_gradient") -
      count(graph, "conv3d_weight_gradient");
  EXPECT_EQ(frozen_convolutions, 53U + 1U);
  for (const Value& value : graph.values()) {
    if (!value.name.starts_with("backbone.layer1")) continue;
    EXPECT_NE(value.role, Role::saved) << value.name;
  }
}

TEST(TrainingGraph, LeavesOutAnAuxiliaryHeadThatLearnsNothing) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8");
  const std::vector<std::string> backbone{"backbone"}, heads{"backbone", "neck"};
  EXPECT_EQ(count(build_training_graph(config, size, {.form = {.dropout = 0, .frozen = backbone}}),
                  "cross_entropy"),
            2U);
  const Graph graph = build_training_graph(config, size, {.form = {.dropout = 0, .frozen = heads}});
  EXPECT_EQ(count(graph, "cross_entropy"), 1U);
  EXPECT_EQ(graph.value(graph.feature("loss_cls")).role, Role::output);
}

TEST(TrainingGraph, RefusesToFreezeWhatIsNotThere) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8");
  for (const char* name : {"backbon", "backbone.layer5", "neck.aux", ""}) {
    EXPECT_THROW((void)build_training_graph(config, size, {.form = {.dropout = {}, .frozen = {name}}}), Error)
        << name;
  }
  const std::vector<std::string> all{"backbone", "neck", "cls_head"};
  EXPECT_THROW((void)build_training_graph(config, size, {.form = {.dropout = {}, .frozen = all}}), Error);
}

class ParameterStoreTest : public ::testing::Test {
 protected:
  test::TemporaryDirectory directory_;
  std::shared_ptr<const Backend> backend_ = std::make_shared<ReferenceBackend>();
  std::vector<PersistentTensor> tensors_{{"w", weight({2, 3}), Role::parameter},
                                         {"count", {{}, Kind::index, DType::i64}, Role::buffer},
                                         {"momentum/w", weight({2, 3}), Role::state}};
  ParameterStore store_{backend_, tensors_};
};

TEST_F(ParameterStoreTest, BeginsWithZerosAndKeepsWhatIsWritten) {
  std::vector<float> values(6, 7);
  const TensorView view{reinterpret_cast<std::byte*>(values.data()), DType::f32, {2, 3}};
  store_.read("w", view);
  EXPECT_EQ(values, std::vector<float>(6, 0));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  store_.write("w", read_only(view));
  std::vector<float> back(6);
  store_.read("w", {reinterpret_cast<std::byte*>(back.data()), DType::f32, {2, 3}});
  EXPECT_EQ(back, values);
  EXPECT_EQ(store_.bytes(), 2U * 6 * 4 + 8);
}

TEST_F(ParameterStoreTest, RefusesOtherNamesAndShapes) {
  std::vector<float> values(6);
  auto* data = reinterpret_cast<std::byte*>(values.data());
  EXPECT_THROW(store_.read("v", {data, DType::f32, {2, 3}}), Error);
  EXPECT_THROW(store_.read("w", {data, DType::f32, {3, 2}}), Error);
  EXPECT_THROW(store_.write("w", {data, DType::f32, {6}}), Error);
  EXPECT_THROW((void)store_.tensor("w", weight({3, 2})), Error);
}

TEST(TrainingPlan, NeedsAStore) {
  const Config config = test::tiny_config("tpn-slowonly-r50-8x8");
  const auto plan = std::make_shared<const Plan>(build_training_graph(config, size, {}),
                                                 std::make_shared<ReferenceBackend>(), PlanOptions{});
  EXPECT_THROW(Executor{plan}, Error);
}

}  // namespace
}  // namespace tpn
