#include "engine/plan/fuse.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "kernels/reference_backend.h"

namespace tpn {
namespace {

/// conv -> norm -> (+ shortcut) -> relu, as at the end of a residual block.
struct Block {
  Graph graph;
  ValueId x = graph.add_input("x", activation({1, 2, 4, 4, 8}));
  ValueId conv = 0, norm = 0, sum = 0, out = 0;

  explicit Block(const Shape& shortcut = {1, 2, 4, 4, 8}, double eps = 1e-3) {
    const auto channels = [&](const char* name) {
      return graph.add_constant(name, per_channel(8), Role::parameter);
    };
    const ValueId other = graph.add_input("shortcut", activation(shortcut));
    const ValueId w = graph.add_constant("w", weight({8, 8, 1, 1, 1}), Role::parameter);
    conv = graph.apply(ops::Conv3d{}, {x, w}, "conv");
    norm = graph.apply(ops::BatchNorm{eps},
                       {conv, channels("a"), channels("b"), channels("c"), channels("d")}, "norm");
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
  EXPECT_EQ(op.eps, 1e-3);
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

TEST(Fuse, LeavesAnAdditionThatFollowsTheRelu) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 1, 4, 4, 8})),
                other = graph.add_input("other", activation({1, 1, 4, 4, 8}));
  const ValueId w = graph.add_constant("w", weight({8, 8, 1, 1, 1}), Role::parameter);
  const ValueId rectified = graph.apply(ops::Relu{}, {graph.apply(ops::Conv3d{}, {x, w}, "conv")}, "relu");
  const ValueId sum = graph.apply(ops::Add{}, {rectified, other}, "sum");
  const Graph fused = fuse_convolutions(graph, ReferenceBackend(), std::vector<ValueId>{sum});
  ASSERT_EQ(fused.nodes().size(), 2U);
  EXPECT_FALSE(std::get<ops::FusedConv3d>(fused.nodes()[0].op).residual);
}

TEST(Fuse, AddsOneFrameToAll) {
  const Block block({1, 1, 4, 4, 8});
  const std::vector<Node> nodes = block.fuse({block.out});
  ASSERT_EQ(nodes.size(), 1U);
  EXPECT_TRUE(std::get<ops::FusedConv3d>(nodes[0].op).one_frame_residual);
}

TEST(Fuse, LeavesAnAdditionThatRepeatsTheConvolution) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 1, 4, 4, 8})),
                other = graph.add_input("other", activation({1, 2, 4, 4, 8}));
  const ValueId w = graph.add_constant("w", weight({8, 8, 1, 1, 1}), Role::parameter);
  const ValueId sum = graph.apply(ops::Add{}, {graph.apply(ops::Conv3d{}, {x, w}, "conv"), other}, "sum");
  EXPECT_EQ(fuse_convolutions(graph, ReferenceBackend(), std::vector<ValueId>{sum}).nodes().size(), 2U);
}

TEST(Fuse, PutsTheBlockAfterAShortcutThatIsComputedLate) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 1, 4, 4, 8}));
  const ValueId w1 = graph.add_constant("w1", weight({8, 8, 1, 1, 1}), Role::parameter);
  const ValueId w2 = graph.add_constant("w2", weight({8, 8, 1, 1, 1}), Role::parameter);
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

/// Nodes of the graph after a pass on a backend that supports everything.
template <class Pass>
std::vector<Node> after(const Pass& pass, const Graph& graph, const std::vector<ValueId>& keep) {
  const Graph rewritten = pass(graph, ReferenceBackend(), keep);
  return {rewritten.nodes().begin(), rewritten.nodes().end()};
}

/// A shift that two pointwise convolutions read, as in decisionforce's in-place form, and perhaps a third.
struct Shifted {
  Graph graph;
  ValueId x = graph.add_input("x", activation({1, 4, 4, 4, 16}));
  ValueId shifted = 0;
  std::vector<ValueId> readers;

  explicit Shifted(std::int64_t fold) {
    shifted = graph.apply(ops::TemporalShift{fold}, {x}, "shift");
    read("conv1", {}, {8, 16, 1, 1, 1});
    read("downsample", {.stride = {1, 2, 2}}, {8, 16, 1, 1, 1});
  }
  void read(const std::string& name, const ops::Conv3d& conv, const Shape& shape) {
    const ValueId w = graph.add_constant(name + ".weight", weight(shape), Role::parameter);
    readers.push_back(graph.apply(conv, {shifted, w}, name));
  }
};

TEST(FuseTemporalShifts, DrawsTheShiftIntoAllOfItsReaders) {
  const Shifted s(2);
  const std::vector<Node> nodes = after(fuse_temporal_shifts, s.graph, s.readers);
  ASSERT_EQ(nodes.size(), 2U);
  for (const Node& node : nodes) {
    EXPECT_EQ(std::get<ops::FusedConv3d>(node.op).shift_fold, 2);
    EXPECT_EQ(node.inputs.front(), s.x);
  }
}

TEST(FuseTemporalShifts, LeavesAShiftThatOneReaderCannotTake) {
  Shifted s(2);
  s.read("wide", {.padding = {0, 1, 1}}, {8, 16, 1, 3, 3});
  EXPECT_EQ(after(fuse_temporal_shifts, s.graph, s.readers).size(), 4U);
}

TEST(FuseTemporalShifts, LeavesAShiftWhoseReaderSkipsFrames) {
  Shifted s(2);
  s.read("strided", {.stride = {2, 1, 1}}, {8, 16, 1, 1, 1});
  EXPECT_EQ(after(fuse_temporal_shifts, s.graph, s.readers).size(), 4U);
}

TEST(FuseTemporalShifts, LeavesAShiftThatIsAskedFor) {
  Shifted s(2);
  s.readers.push_back(s.shifted);
  EXPECT_EQ(after(fuse_temporal_shifts, s.graph, s.readers).size(), 3U);
}

TEST(FuseTemporalShifts, DropsAShiftOfNoChannels) {
  Shifted s(0);
  s.read("wide", {.padding = {0, 1, 1}}, {8, 16, 1, 3, 3});
  const std::vector<Node> nodes = after(fuse_temporal_shifts, s.graph, s.readers);
  ASSERT_EQ(nodes.size(), 3U);
  for (const Node& node : nodes) EXPECT_TRUE(std::holds_alternative<ops::Conv3d>(node.op));
}

/// Two levels: grouped convolution, pool, and the sum of the first with the upsampled second.
struct Levels {
  Graph graph;
  ValueId second = 0, upsampled = 0, sum = 0;

  explicit Levels(const ops::Extent3& upsample) {
    const ValueId first = level("first", {4, 4, 4}, 2);
    second = level("second", {4 / upsample[0], 4 / upsample[1], 4 / upsample[2]}, 2);
    upsampled = graph.apply(ops::Upsample{upsample}, {second}, "upsample");
    sum = graph.apply(ops::Add{}, {first, upsampled}, "sum");
  }
  /// Of so many frames, rows and columns behind the pool.
  ValueId level(const std::string& name, const ops::Extent3& size, std::int64_t window) {
    const ValueId x = graph.add_input(name, activation({1, size[0] * window, size[1], size[2], 16}));
    const ValueId w = graph.add_constant(name + ".weight", weight({8, 4, 3, 1, 1}), Role::parameter);
    const ValueId y = graph.apply(ops::Conv3d{.padding = {1, 0, 0}, .groups = 4}, {x, w}, name + ".conv");
    return graph.apply(ops::MaxPool3d{.kernel = {window, 1, 1}, .stride = {window, 1, 1}, .ceil_mode = true},
                       {y}, name + ".pool");
  }
};

TEST(FuseTemporalModulation, TakesThePoolAndTheUpsampledLevelAbove) {
  const Levels levels({2, 1, 1});
  const std::vector<Node> nodes = after(fuse_temporal_modulation, levels.graph, {levels.sum, levels.second});
  ASSERT_EQ(nodes.size(), 2U);
  const auto& second = std::get<ops::TemporalModulation>(nodes[0].op);
  EXPECT_EQ(second.window, 2);
  EXPECT_FALSE(second.add);
  const auto& first = std::get<ops::TemporalModulation>(nodes[1].op);
  EXPECT_EQ(first.window, 2);
  EXPECT_TRUE(first.add);
  EXPECT_EQ(nodes[1].inputs.back(), levels.second);
  EXPECT_EQ(nodes[1].outputs, std::vector<ValueId>{levels.sum});
}

TEST(FuseTemporalModulation, LeavesPoolsOfAnotherForm) {
  for (const ops::MaxPool3d& pool :
       {ops::MaxPool3d{.kernel = {2, 1, 1}, .stride = {2, 1, 1}},
        ops::MaxPool3d{.kernel = {3, 1, 1}, .stride = {2, 1, 1}, .ceil_mode = true},
        ops::MaxPool3d{.kernel = {2, 2, 1}, .stride = {2, 2, 1}, .ceil_mode = true},
        ops::MaxPool3d{.kernel = {2, 1, 1}, .stride = {2, 1, 1}, .padding = {1, 0, 0}, .ceil_mode = true}}) {
    Graph graph;
    const ValueId x = graph.add_input("x", activation({1, 7, 2, 2, 16}));
    const ValueId w = graph.add_constant("w", weight({8, 4, 3, 1, 1}), Role::parameter);
    const ValueId y = graph.apply(ops::Conv3d{.padding = {1, 0, 0}, .groups = 4}, {x, w}, "conv");
    const std::vector<Node> nodes = after(fuse_temporal_modulation, graph, {graph.apply(pool, {y}, "pool")});
    ASSERT_EQ(nodes.size(), 2U);
    EXPECT_EQ(std::get<ops::TemporalModulation>(nodes[0].op).window, 1);
    EXPECT_EQ(std::get<ops::MaxPool3d>(nodes[1].op), pool);
  }
}

TEST(FuseTemporalModulation, LeavesAnUpsamplingInSpace) {
  for (const ops::Extent3& scale : {ops::Extent3{1, 2, 1}, {1, 1, 2}, {2, 2, 1}, {2, 1, 2}}) {
    const Levels levels(scale);
    const std::vector<Node> nodes =
        after(fuse_temporal_modulation, levels.graph, {levels.sum, levels.second});
    ASSERT_EQ(nodes.size(), 3U);
    EXPECT_TRUE(std::holds_alternative<ops::Upsample>(nodes[1].op));
    EXPECT_TRUE(std::get<ops::TemporalModulation>(nodes[2].op).add);
    EXPECT_EQ(nodes[2].inputs.back(), levels.upsampled);
  }
}

TEST(FuseTemporalModulation, LeavesAnUngroupedConvolutionToTheTensorCores) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 8, 2, 2, 16}));
  const ValueId w = graph.add_constant("w", weight({16, 16, 3, 1, 1}), Role::parameter);
  const ValueId y = graph.apply(ops::Conv3d{.padding = {1, 0, 0}}, {x, w}, "conv");
  const std::vector<Node> nodes = after(fuse_temporal_modulation, graph, {y});
  ASSERT_EQ(nodes.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<ops::Conv3d>(nodes[0].op));
}

TEST(FuseLevelFusion, TakesThePoolBeforeAGroupedConvolution) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 5, 2, 2, 16}));
  const ValueId w = graph.add_constant("w", weight({8, 4, 1, 1, 1}), Role::parameter);
  const ops::MaxPool3d pool{.kernel = {2, 1, 1}, .stride = {2, 1, 1}, .ceil_mode = true};
  const ValueId y = graph.apply(ops::Conv3d{.groups = 4}, {graph.apply(pool, {x}, "pool"), w}, "conv");
  const std::vector<Node> nodes = after(fuse_level_fusion, graph, {y});
  ASSERT_EQ(nodes.size(), 1U);
  EXPECT_EQ(std::get<ops::LevelFusion>(nodes[0].op).pool, pool);
  EXPECT_EQ(nodes[0].inputs, (std::vector<ValueId>{x, w}));
}

TEST(FuseLevelFusion, LeavesAPoolOfOverlappingWindows) {
  for (const ops::MaxPool3d& pool :
       {ops::MaxPool3d{.kernel = {3, 1, 1}, .stride = {2, 1, 1}},
        ops::MaxPool3d{.kernel = {2, 1, 1}, .stride = {2, 1, 1}, .padding = {1, 0, 0}}}) {
    Graph graph;
    const ValueId x = graph.add_input("x", activation({1, 5, 2, 2, 16}));
    const ValueId w = graph.add_constant("w", weight({8, 4, 1, 1, 1}), Role::parameter);
    const ValueId y = graph.apply(ops::Conv3d{.groups = 4}, {graph.apply(pool, {x}, "pool"), w}, "conv");
    const std::vector<Node> nodes = after(fuse_level_fusion, graph, {y});
    ASSERT_EQ(nodes.size(), 2U);
    EXPECT_EQ(std::get<ops::LevelFusion>(nodes[1].op).pool, ops::MaxPool3d{});
  }
}

TEST(FuseLevelFusion, LeavesAPoolThatOthersRead) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 4, 2, 2, 16}));
  const ValueId w = graph.add_constant("w", weight({8, 4, 1, 1, 1}), Role::parameter);
  const ValueId pooled = graph.apply(ops::MaxPool3d{.kernel = {2, 1, 1}, .stride = {2, 1, 1}}, {x}, "pool");
  const ValueId y = graph.apply(ops::Conv3d{.groups = 4}, {pooled, w}, "conv");
  const ValueId other = graph.apply(ops::Relu{}, {pooled}, "other");
  const std::vector<Node> nodes = after(fuse_level_fusion, graph, {y, other});
  ASSERT_EQ(nodes.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<ops::MaxPool3d>(nodes[0].op));
  EXPECT_EQ(nodes[1].inputs.front(), pooled);
}

TEST(FuseClassifier, TakesThePoolBeforeTheMatrix) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({2, 5, 2, 2, 16}));
  const ValueId w = graph.add_constant("w", weight({3, 16}), Role::parameter);
  const ValueId b = graph.add_constant("b", per_channel(3), Role::parameter);
  const ValueId y =
      graph.apply(ops::Linear{}, {graph.apply(ops::GlobalAvgPool{}, {x}, "pool"), w, b}, "logits");
  const std::vector<Node> nodes = after(fuse_classifier, graph, {y});
  ASSERT_EQ(nodes.size(), 1U);
  EXPECT_EQ(nodes[0].inputs, (std::vector<ValueId>{x, w, b}));
}

/// A block of a network that trains: norm -> (+ shortcut) -> relu.
struct TrainingBlock {
  Graph graph;
  ValueId x = graph.add_input("x", activation({1, 2, 4, 4, 8}));
  ValueId norm = 0, sum = 0, out = 0;

  explicit TrainingBlock(const Shape& shortcut = {1, 2, 4, 4, 8}) {
    const ValueId other = graph.add_input("shortcut", activation(shortcut));
    std::vector<ValueId> inputs{x};
    for (const char* name : {"scale", "shift", "mean", "variance"}) {
      inputs.push_back(graph.add_constant(name, per_channel(8), Role::buffer));
    }
    inputs.push_back(graph.add_constant("batches", indices({}, DType::i64), Role::buffer));
    norm = graph.apply(ops::BatchNormTraining{.eps = 0.5, .momentum = 0.25}, inputs, "norm");
    sum = graph.apply(ops::Add{}, {other, norm}, "sum");
    out = graph.apply(ops::Relu{}, {sum}, "out");
  }
};

TEST(FuseBatchNorms, DrawsInAnAdditionAndARelu) {
  const TrainingBlock block;
  const Graph fused = fuse_batch_norms(block.graph, std::vector<ValueId>{block.out});
  ASSERT_EQ(fused.nodes().size(), 1U);
  const Node& node = fused.nodes()[0];
  EXPECT_EQ(
      std::get<ops::BatchNormTraining>(node.op),
      (ops::BatchNormTraining{.eps = 0.5, .momentum = 0.25, .epilogue = {.residual = true, .relu = true}}));
  ASSERT_EQ(node.inputs.size(), 7U);
  EXPECT_EQ(fused.value(node.inputs[6]).name, "shortcut");
  EXPECT_EQ(node.outputs.front(), block.out);
  EXPECT_EQ(infer(node.op, fused.specs(node.inputs)), fused.specs(node.outputs));
}

TEST(FuseBatchNorms, StopsAtValuesThatAreKeptOrReadTwice) {
  TrainingBlock block;
  const auto epilogue = [](const Graph& graph) {
    return std::get<ops::BatchNormTraining>(graph.nodes().front().op).epilogue;
  };
  EXPECT_EQ(epilogue(fuse_batch_norms(block.graph, {{block.sum, block.out}})),
            (ops::NormEpilogue{.residual = true}));
  EXPECT_EQ(epilogue(fuse_batch_norms(block.graph, {{block.norm, block.out}})), ops::NormEpilogue{});
  const ValueId second = block.graph.apply(ops::Relu{}, {block.norm}, "second");
  EXPECT_EQ(epilogue(fuse_batch_norms(block.graph, {{block.out, second}})), ops::NormEpilogue{});
}

TEST(FuseBatchNorms, LeavesAFrameThatIsRepeated) {
  const TrainingBlock block({1, 1, 4, 4, 8});
  EXPECT_EQ(fuse_batch_norms(block.graph, {{block.out}}).nodes().size(), 3U);
}

/// Both sides of an addition are norms: one of them takes it, with the other as its residual.
TEST(FuseBatchNorms, GivesAnAdditionToOneOfTwoNorms) {
  TrainingBlock block;
  std::vector<ValueId> inputs = block.graph.nodes()[0].inputs;
  for (std::size_t i = 3; i < 6; ++i) {
    const Value& statistic = block.graph.value(inputs[i]);
    inputs[i] = block.graph.add_constant(statistic.name + "2", statistic.spec, Role::buffer);
  }
  Graph graph = block.graph.with_nodes({block.graph.nodes()[0]});
  const ValueId shortcut = graph.apply(ops::BatchNormTraining{}, inputs, "shortcut norm");
  const ValueId sum = graph.apply(ops::Add{}, {block.norm, shortcut}, "sum of norms");
  const Graph fused = fuse_batch_norms(graph, {{sum}});
  ASSERT_EQ(fused.nodes().size(), 2U);
  EXPECT_EQ(fused.nodes()[0].outputs.front(), shortcut);
  EXPECT_EQ(fused.nodes()[1].inputs.back(), shortcut);
  EXPECT_EQ(fused.nodes()[1].outputs.front(), sum);
}

TEST(DropUnused, KeepsWhatResultsDependOn) {
  Block block;
  block.graph.apply(ops::Relu{}, {block.x}, "nobody reads this");
  EXPECT_EQ(drop_unused(block.graph, std::vector<ValueId>{block.out}).nodes().size(), 4U);
  EXPECT_EQ(drop_unused(block.graph, std::vector<ValueId>{block.norm}).nodes().size(), 2U);
}

}  // namespace
}  // namespace tpn
