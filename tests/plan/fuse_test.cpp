#include "engine/plan/fuse.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "kernels/reference_backend.h"

namespace tpn {
namespace {

/// conv -> norm -> (+ shortcut) -> relu, as at the end of a residual block.
struct Block {
  Graph graph;
  ValueId x = graph.add_input("x", {1, 2, 4, 4, 8});
  ValueId conv = 0, norm = 0, sum = 0, out = 0;

  explicit Block(const Shape& shortcut = {1, 2, 4, 4, 8}) {
    const auto channels = [&](const char* name) { return graph.add_constant(name, {8}, Role::parameter); };
    const ValueId other = graph.add_input("shortcut", shortcut);
    const ValueId weight = graph.add_constant("w", {8, 8, 1, 1, 1}, Role::parameter);
    conv = graph.apply(ops::Conv3d{}, {x, weight}, "conv");
    norm = graph.apply(ops::BatchNorm{}, {conv, channels("a"), channels("b"), channels("c"), channels("d")},
                       "norm");
    sum = graph.apply(ops::Add{}, {norm, other}, "sum");
    out = graph.apply(ops::Relu{}, {sum}, "out");
  }

  [[nodiscard]] std::vector<Node> fuse(const std::vector<ValueId>& keep) const {
    const Graph fused = fuse_convolutions(graph, ReferenceBackend(), keep);
    return {fused.nodes().begin(), fused.nodes().end()};
  }
};

TEST(Fuse, DrawsAWholeBlockIntoItsConvolution) {
  const Block block;
  const std::vector<Node> nodes = block.fuse({block.out});
  ASSERT_EQ(nodes.size(), 1U);
  const auto& op = std::get<ops::FusedConv3d>(nodes[0].op);
  EXPECT_TRUE(op.norm && op.residual && op.relu);
  EXPECT_EQ(nodes[0].inputs.size(), 7U);
  EXPECT_EQ(nodes[0].outputs, std::vector<ValueId>{block.out});
}

TEST(Fuse, StopsAtAValueThatIsKept) {
  const Block block;
  const std::vector<Node> nodes = block.fuse({block.norm, block.out});
  ASSERT_EQ(nodes.size(), 3U);  // conv + norm, sum, relu
  EXPECT_TRUE(std::get<ops::FusedConv3d>(nodes[0].op).norm);
  EXPECT_EQ(nodes[0].outputs, std::vector<ValueId>{block.norm});
}

TEST(Fuse, StopsAtAValueThatHasTwoReaders) {
  Block block;
  const ValueId second = block.graph.apply(ops::Relu{}, {block.norm}, "second");
  const std::vector<Node> nodes = block.fuse({block.out, second});
  ASSERT_EQ(nodes.size(), 4U);
  EXPECT_FALSE(std::get<ops::FusedConv3d>(nodes[0].op).residual);
}

TEST(Fuse, LeavesAnAdditionThatBroadcasts) {
  const Block block({1, 1, 4, 4, 8});
  const std::vector<Node> nodes = block.fuse({block.out});
  ASSERT_EQ(nodes.size(), 3U);
  EXPECT_FALSE(std::get<ops::FusedConv3d>(nodes[0].op).residual);
  EXPECT_TRUE(std::holds_alternative<ops::Add>(nodes[1].op));
}

TEST(Fuse, PutsTheBlockAfterAShortcutThatIsComputedLate) {
  Graph graph;
  const ValueId x = graph.add_input("x", {1, 1, 4, 4, 8});
  const ValueId w1 = graph.add_constant("w1", {8, 8, 1, 1, 1}, Role::parameter);
  const ValueId w2 = graph.add_constant("w2", {8, 8, 1, 1, 1}, Role::parameter);
  const ValueId main = graph.apply(ops::Conv3d{}, {x, w1}, "main");
  const ValueId shortcut = graph.apply(ops::Conv3d{}, {x, w2}, "shortcut");
  const ValueId sum = graph.apply(ops::Add{}, {main, shortcut}, "sum");
  const Graph fused = fuse_convolutions(graph, ReferenceBackend(), std::vector<ValueId>{sum});
  ASSERT_EQ(fused.nodes().size(), 2U);
  EXPECT_EQ(fused.nodes()[0].outputs, std::vector<ValueId>{shortcut});
  EXPECT_EQ(fused.nodes()[1].outputs, std::vector<ValueId>{sum});
}

/// A backend without fused operations.
class PlainBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "plain"; }
  [[nodiscard]] bool supports(DType) const override { return true; }
  [[nodiscard]] bool supports(const AnyOp& op) const override {
    return !std::holds_alternative<ops::FusedConv3d>(op);
  }
  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp&, const Signature&) const override {
    return nullptr;
  }
};

TEST(Fuse, AsksTheBackend) {
  const Block block;
  EXPECT_EQ(fuse_convolutions(block.graph, PlainBackend(), std::vector<ValueId>{block.out}).nodes().size(),
            4U);
}

TEST(DropUnused, KeepsWhatResultsDependOn) {
  Block block;
  block.graph.apply(ops::Relu{}, {block.x}, "nobody reads this");
  EXPECT_EQ(drop_unused(block.graph, std::vector<ValueId>{block.out}).nodes().size(), 4U);
  EXPECT_EQ(drop_unused(block.graph, std::vector<ValueId>{block.norm}).nodes().size(), 2U);
}

}  // namespace
}  // namespace tpn
