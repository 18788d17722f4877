#include "engine/plan/recompute.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "engine/plan/differentiate.h"

namespace tpn {
namespace {

/// Two residual convolutions and a loss: x -> conv -> relu (first) -> conv -> + first -> relu (second) ->
/// conv -> pool -> linear -> cross entropy.
struct Network {
  Graph graph;
  ValueId x = graph.add_input("x", activation({2, 1, 2, 2, 4}));
  ValueId labels = graph.add_input("labels", indices({2}, DType::i64));
  ValueId scale = graph.add_input("scale", scalar());
  std::vector<ValueId> weights;
  ValueId conv = convolve(x, "conv");
  ValueId first = graph.apply(ops::Relu{}, {conv}, "first");
  ValueId inner = convolve(first, "inner");
  ValueId sum = graph.apply(ops::Add{}, {inner, first}, "sum");
  ValueId second = graph.apply(ops::Relu{}, {sum}, "second");
  ValueId last = convolve(second, "last");

  Network() {
    const ValueId rows = graph.add_constant("rows", weight({3, 4}), Role::parameter);
    const ValueId bias = graph.add_constant("bias", per_channel(3), Role::parameter);
    const ValueId pooled = graph.apply(ops::GlobalAvgPool{}, {last}, "pool");
    const ValueId logits = graph.apply(ops::Linear{}, {pooled, rows, bias}, "logits");
    const ValueId loss = graph.apply(ops::CrossEntropy{}, {logits, labels}, "loss");
    forward = graph.nodes().size();
    (void)differentiate(graph, {{loss}}, scale, weights);
  }

  ValueId convolve(ValueId from, const std::string& name) {
    weights.push_back(graph.add_constant(name + ".weight", weight({4, 4, 1, 1, 1}), Role::parameter));
    return graph.apply(ops::Conv3d{}, {from, weights.back()}, name);
  }

  std::size_t forward = 0;
};

std::set<std::string> saved(const Graph& graph) {
  std::set<std::string> names;
  for (const Value& value : graph.values()) {
    if (value.role == Role::saved && value.spec.kind == Kind::activation) names.insert(value.name);
  }
  return names;
}

TEST(Recompute, KeepsConvolutionsAndMakesTheRestAgainWhereItIsFirstRead) {
  Network n;
  // What is kept of it only serves to make others again.
  n.graph.set_role(n.conv, Role::saved);
  std::vector<Node> nodes(n.graph.nodes().begin(), n.graph.nodes().end());
  nodes.push_back({ops::Relu{}, {n.conv}, {n.graph.add_input("reader of conv", n.graph.value(n.conv).spec)}});
  nodes.push_back(
      {ops::Relu{}, {n.inner}, {n.graph.add_input("reader of inner", n.graph.value(n.conv).spec)}});
  const Graph graph = recompute(n.graph.with_nodes(nodes), n.forward);

  EXPECT_EQ(saved(graph), (std::set<std::string>{"conv", "inner"}));
  // Nothing behind the forward pass reads what was made in it, but for what is kept.
  std::set<ValueId> made;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    for (const ValueId id : node.inputs) {
      const bool of_forward =
          i >= n.forward && made.contains(id) && graph.value(id).spec.kind == Kind::activation;
      EXPECT_FALSE(of_forward && graph.value(id).role != Role::saved) << graph.value(id).name;
    }
    if (i < n.forward) made.insert(node.outputs.begin(), node.outputs.end());
  }
  // In order: each value has been made before it is read.
  std::set<ValueId> known;
  for (const Node& node : graph.nodes()) {
    for (const ValueId id : node.outputs) EXPECT_TRUE(known.insert(id).second);
  }
  std::size_t again = 0;
  for (const Value& value : graph.values()) again += value.name.ends_with(".again") ? 1 : 0;
  EXPECT_EQ(again, 3U);  // first, sum, second: each once
}

/// No convolution's output is read by the backward pass here, so that nothing would be saved by computing
/// anything again.
TEST(Recompute, KeepsWhatItWouldHaveToKeepMoreFor) {
  Network n;
  const Graph graph = recompute(n.graph, n.forward);
  EXPECT_EQ(saved(graph), (std::set<std::string>{"first", "second"}));
  EXPECT_EQ(graph.nodes().size(), n.graph.nodes().size());
}

}  // namespace
}  // namespace tpn
