#include "engine/plan/defer_weight_gradients.h"

#include <gtest/gtest.h>

#include "kernels/reference_backend.h"

namespace tpn {
namespace {

/// Three weight gradients, all read by the last node; that of `large` is of more than it makes.
struct Backward {
  Graph graph;
  ValueId x = graph.add_input("x", activation({1, 1, 1, 1, 16}));
  ValueId large = graph.add_input("large", activation({1, 1, 4, 4, 16}));
  ValueId scale = graph.add_input("scale", scalar());
  ValueId a = graph.apply(ops::Relu{}, {x}, "a");                                          // node 0
  ValueId of_x = gradient(x, a);                                                           // 1
  ValueId b = graph.apply(ops::Relu{}, {large}, "b");                                      // 2
  ValueId of_large = gradient(large, b);                                                   // 3
  ValueId c = graph.apply(ops::Relu{}, {a}, "c");                                          // 4
  ValueId of_a = gradient(a, c);                                                           // 5
  ValueId norm = graph.apply(ops::GradientNorm{}, {scale, of_x, of_large, of_a}, "norm");  // 6

  ValueId gradient(ValueId input, ValueId output) {
    return graph.apply(ops::Conv3dWeightGradient{{}, {16, 16, 1, 1, 1}}, {input, output}, "gradient");
  }
  [[nodiscard]] std::vector<std::size_t> order(std::span<const ValueId> keep) const {
    return defer_weight_gradients(lay_out(graph, ReferenceBackend(), DType::f32, true, keep), keep);
  }
};

using Order = std::vector<std::size_t>;

/// Of the two that wait, the second keeps both of its operands, and the first then x alone.
TEST(DeferWeightGradients, WhereWhatIsKeptIsSmaller) {
  const Backward backward;
  EXPECT_EQ(backward.order({{backward.norm}}), (Order{0, 2, 3, 4, 5, 1, 6}));
}

TEST(DeferWeightGradients, CountsNothingThatIsKeptAnyway) {
  const Backward backward;
  EXPECT_EQ(backward.order({{backward.large, backward.b, backward.norm}}), (Order{0, 2, 4, 5, 1, 3, 6}));
}

TEST(DeferWeightGradients, LeavesWhatNobodyReadsAndWhatIsNoGradient) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 1, 1, 1, 16}));
  const ValueId w = graph.add_constant("w", weight({256, 16, 1, 1, 1}), Role::parameter);
  const ValueId wide = graph.apply(ops::Conv3d{}, {x, w}, "wide");
  const ValueId dw = graph.apply(ops::Conv3dWeightGradient{{}, {256, 16, 1, 1, 1}}, {x, wide}, "dw");
  const ValueId y = graph.apply(ops::Relu{}, {x}, "y");
  const ValueId z = graph.apply(ops::Relu{}, {wide}, "z");
  const std::vector<ValueId> keep{dw, y, z};
  EXPECT_EQ(defer_weight_gradients(lay_out(graph, ReferenceBackend(), DType::f32, true, keep), keep),
            (Order{0, 1, 2, 3}));
}

}  // namespace
}  // namespace tpn
