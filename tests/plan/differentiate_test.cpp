#include "engine/plan/differentiate.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace tpn {
namespace {

/// Two layers and a loss: x -> conv (first) -> relu -> conv (second) -> pool -> linear -> cross entropy.
struct Network {
  Graph graph;
  ValueId x = graph.add_input("x", activation({2, 1, 2, 2, 4}));
  ValueId labels = graph.add_input("labels", indices({2}, DType::i64));
  ValueId scale = graph.add_input("scale", scalar());
  ValueId first = graph.add_constant("first", weight({4, 4, 1, 1, 1}), Role::parameter);
  ValueId second = graph.add_constant("second", weight({4, 4, 1, 1, 1}), Role::parameter);
  ValueId rows = graph.add_constant("rows", weight({3, 4}), Role::parameter);
  ValueId bias = graph.add_constant("bias", per_channel(3), Role::parameter);
  ValueId conv = graph.apply(ops::Conv3d{}, {x, first}, "conv");
  ValueId relu = graph.apply(ops::Relu{}, {conv}, "relu");

  /// The loss behind a value.
  ValueId loss(ValueId y) {
    const ValueId pooled = graph.apply(ops::GlobalAvgPool{}, {y}, "pool");
    const ValueId logits = graph.apply(ops::Linear{}, {pooled, rows, bias}, "logits");
    return graph.apply(ops::CrossEntropy{}, {logits, labels}, "loss");
  }
  [[nodiscard]] std::size_t count(std::string_view op) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(graph.nodes(), [&](const Node& node) { return name_of(node.op) == op; }));
  }
};

TEST(Differentiate, GivesEachWantedValueAGradientOfItsShape) {
  Network n;
  const ValueId loss = n.loss(n.graph.apply(ops::Conv3d{}, {n.relu, n.second}, "conv2"));
  const std::vector<ValueId> wanted{n.first, n.second, n.rows, n.bias, n.x};
  const std::vector<ValueId> gradients = differentiate(n.graph, {{loss}}, n.scale, wanted);
  ASSERT_EQ(gradients.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_GE(gradients[i], 0) << n.graph.value(wanted[i]).name;
    EXPECT_EQ(n.graph.value(gradients[i]).spec, n.graph.value(wanted[i]).spec);
  }
  EXPECT_EQ(n.count("conv3d_data_gradient"), 2U);
  EXPECT_EQ(n.count("conv3d_weight_gradient"), 2U);
}

TEST(Differentiate, AddsUpTheGradientsOfAllReaders) {
  Network n;
  const ValueId conv = n.graph.apply(ops::Conv3d{}, {n.relu, n.second}, "conv2");
  const ValueId loss = n.loss(n.graph.apply(ops::Add{}, {conv, n.relu}, "sum"));
  const std::size_t before = n.count("add");
  (void)differentiate(n.graph, {{loss}}, n.scale, {{n.first}});
  EXPECT_EQ(n.count("add"), before + 1);  // of the two paths from the sum to the ReLU
}

TEST(Differentiate, SpendsNothingOnWhatNoWantedValueReaches) {
  Network n;
  const ValueId loss = n.loss(n.graph.apply(ops::Conv3d{}, {n.relu, n.second}, "conv2"));
  const std::vector<ValueId> gradients =
      differentiate(n.graph, {{loss}}, n.scale, std::vector<ValueId>{n.rows, n.bias});
  EXPECT_GE(std::ranges::min(gradients), 0);
  for (const char* op : {"conv3d_data_gradient", "conv3d_weight_gradient", "relu_gradient",
                         "global_avg_pool_gradient", "linear_data_gradient"}) {
    EXPECT_EQ(n.count(op), 0U) << op;
  }
  EXPECT_EQ(n.graph.value(n.relu).role, Role::temporary);
}

TEST(Differentiate, MarksWhatTheBackwardPassReads) {
  Network n;
  const ValueId conv2 = n.graph.apply(ops::Conv3d{}, {n.relu, n.second}, "conv2");
  const ValueId loss = n.loss(conv2);
  (void)differentiate(n.graph, {{loss}}, n.scale, std::vector<ValueId>{n.first, n.second});
  EXPECT_EQ(n.graph.value(n.relu).role, Role::saved);
  EXPECT_EQ(n.graph.value(n.conv).role, Role::temporary);  // ReLU's gradient reads its output
  EXPECT_EQ(n.graph.value(conv2).role,
            Role::temporary);  // a mean's gradient does not depend on what it is of
  EXPECT_EQ(n.graph.value(n.x).role, Role::input);
}

TEST(Differentiate, HasNoGradientWhereNoLossDependsOnAValue) {
  Network n;
  const ValueId loss = n.loss(n.relu);
  const std::vector<ValueId> gradients =
      differentiate(n.graph, {{loss}}, n.scale, std::vector<ValueId>{n.second, n.first});
  EXPECT_EQ(gradients[0], -1);
  EXPECT_GE(gradients[1], 0);
}

TEST(Differentiate, NamesTheNodeThatHasNoGradient) {
  Network n;
  const ValueId fused = n.graph.apply(ops::FusedConv3d{}, {n.relu, n.second}, "fused");
  const ValueId loss = n.loss(fused);
  try {
    (void)differentiate(n.graph, {{loss}}, n.scale, {{n.first}});
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()), "fused: the operation fused_conv3d has no gradient.");
  }
}

TEST(Graph, UpdatesAParameterOnce) {
  Network n;
  const ValueId rate = n.graph.add_input("rate", scalar());
  const ValueId momentum = n.graph.add_constant("momentum", weight({3, 4}), Role::state);
  const ValueId gradient = n.graph.add_input("gradient", weight({3, 4}));
  const auto update = [&](ValueId parameter) {
    return n.graph.apply_all(ops::Sgd{}, {rate, n.scale, n.scale, parameter, gradient, momentum}, "update");
  };
  EXPECT_THROW(update(gradient), Error);  // an input does not outlive the run
  const std::vector<ValueId> updated = update(n.rows);
  ASSERT_EQ(updated.size(), 2U);
  EXPECT_EQ(n.graph.value(updated[0]).updates, n.rows);
  EXPECT_EQ(n.graph.value(updated[1]).updates, momentum);
  EXPECT_THROW(update(n.rows), Error);
}

}  // namespace
}  // namespace tpn
