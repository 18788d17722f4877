#include "engine/plan/fuse.h"

#include <algorithm>

#include "engine/plan/rewrite.h"

namespace tpn {
namespace {

/// Grows one fused convolution along the graph: what was absorbed so far, and the value that it computes.
class ConvolutionChain {
 public:
  ConvolutionChain(const Rewriter& graph, const Backend& backend, std::size_t start)
      : graph_(graph), backend_(backend), members_{start} {
    const Node& node = graph.node(start);
    op_.conv = std::get<ops::Conv3d>(node.op);
    inputs_ = node.inputs;
    value_ = node.outputs.front();
  }

  void grow() {
    if (const auto next = graph_.sole_reader<ops::BatchNorm>(value_)) {
      const Node& node = graph_.node(*next);
      op_.norm = true;
      op_.eps = std::get<ops::BatchNorm>(node.op).eps;
      inputs_.insert(inputs_.end(), node.inputs.begin() + 1, node.inputs.end());
      absorb(*next);
    }
    if (const auto next = graph_.sole_reader<ops::Add>(value_)) add(*next);
    if (const auto next = graph_.sole_reader<ops::Relu>(value_)) {
      op_.relu = true;
      absorb(*next);
    }
  }

  [[nodiscard]] const std::vector<std::size_t>& members() const { return members_; }
  [[nodiscard]] const ops::FusedConv3d& op() const { return op_; }
  [[nodiscard]] Node node() const { return {op_, inputs_, {value_}}; }

 private:
  void add(std::size_t next) {
    const Node& node = graph_.node(next);
    const ValueId other = node.inputs[node.inputs[0] == value_ ? 1 : 0];
    if (other == value_) return;
    ops::FusedConv3d with_addend = op_;
    with_addend.residual = true;
    Shape expected = graph_.shape(value_);
    if (graph_.shape(other) != expected) {
      with_addend.one_frame_residual = true;
      expected[1] = 1;
    }
    if (graph_.shape(other) != expected || !backend_.supports(AnyOp(with_addend))) return;
    op_ = with_addend;
    inputs_.push_back(other);
    absorb(next);
  }

  void absorb(std::size_t node) {
    members_.push_back(node);
    value_ = graph_.node(node).outputs.front();
  }

  const Rewriter& graph_;
  const Backend& backend_;
  std::vector<std::size_t> members_;
  ops::FusedConv3d op_;
  std::vector<ValueId> inputs_;
  ValueId value_ = 0;
};

/// The node as a convolution with an epilogue, perhaps an empty one; nothing for other operations.
std::optional<ops::FusedConv3d> as_fused_conv(const Node& node) {
  if (const auto* fused = std::get_if<ops::FusedConv3d>(&node.op)) return *fused;
  if (const auto* conv = std::get_if<ops::Conv3d>(&node.op)) return ops::FusedConv3d{.conv = *conv};
  return {};
}

bool is_pointwise(const ops::Conv3d& conv, const Shape& weight) {
  return ops::Conv3d::kernel(weight) == ops::Extent3{1, 1, 1} && conv.padding == ops::Extent3{0, 0, 0};
}

}  // namespace

Graph fuse_convolutions(const Graph& graph, const Backend& backend, std::span<const ValueId> keep) {
  Rewriter rewriter(graph, keep);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!std::holds_alternative<ops::Conv3d>(graph.nodes()[i].op)) continue;
    ConvolutionChain chain(rewriter, backend, i);
    chain.grow();
    if (chain.members().size() == 1 || !backend.supports(AnyOp(chain.op()))) continue;
    rewriter.replace(chain.members(), chain.node());
  }
  return rewriter.finish();
}

Graph fuse_temporal_shifts(const Graph& graph, const Backend& backend, std::span<const ValueId> keep) {
  Rewriter rewriter(graph, keep);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const auto* shift = std::get_if<ops::TemporalShift>(&node.op);
    if (shift == nullptr || !rewriter.is_internal(node.outputs.front())) continue;
    const ValueId shifted = node.outputs.front();
    std::vector<std::pair<std::size_t, Node>> taken;
    for (const std::size_t reader : rewriter.readers(shifted)) {
      Node replacement = rewriter.node(reader);
      if (shift->fold != 0) {
        std::optional<ops::FusedConv3d> conv = as_fused_conv(replacement);
        if (!conv || conv->shift_fold != 0 || conv->conv.stride[0] != 1 ||
            !is_pointwise(conv->conv, graph.value(replacement.inputs[1]).spec.shape)) {
          break;
        }
        // The shifted tensor is what the kernel is applied to, and nothing else.
        if (std::ranges::count(replacement.inputs, shifted) != 1 || replacement.inputs[0] != shifted) break;
        conv->shift_fold = shift->fold;
        if (!backend.supports(AnyOp(*conv))) break;
        replacement.op = *conv;
      }
      std::ranges::replace(replacement.inputs, shifted, node.inputs.front());
      taken.emplace_back(reader, std::move(replacement));
    }
    const bool all = taken.size() == rewriter.readers(shifted).size();
    const bool untouched =
        std::ranges::none_of(taken, [&](const auto& reader) { return rewriter.is_gone(reader.first); });
    if (!all || !untouched) continue;
    rewriter.remove(i);
    for (auto& [reader, replacement] : taken) {
      rewriter.replace(std::vector<std::size_t>{reader}, std::move(replacement));
    }
  }
  return rewriter.finish();
}

Graph fuse_level_fusion(const Graph& graph, const Backend& backend, std::span<const ValueId> keep) {
  Rewriter rewriter(graph, keep);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const std::optional<ops::FusedConv3d> conv = as_fused_conv(node);
    if (!conv || conv->conv.groups == 1 || conv->residual || conv->shift_fold != 0 ||
        conv->conv.stride != ops::Extent3{1, 1, 1} ||
        !is_pointwise(conv->conv, graph.value(node.inputs[1]).spec.shape)) {
      continue;
    }
    ops::LevelFusion op{.pool = {}, .conv = *conv};
    std::vector<std::size_t> members{i};
    std::vector<ValueId> inputs = node.inputs;
    if (const auto before = rewriter.private_producer<ops::MaxPool3d>(inputs[0])) {
      const auto& pool = std::get<ops::MaxPool3d>(rewriter.node(*before).op);
      if (pool.kernel == pool.stride && pool.padding == ops::Extent3{0, 0, 0} && !pool.keep_places) {
        op.pool = pool;
        inputs[0] = rewriter.node(*before).inputs.front();
        members.push_back(*before);
      }
    }
    if (backend.supports(AnyOp(op))) rewriter.replace(members, {op, inputs, node.outputs});
  }
  return rewriter.finish();
}

Graph fuse_temporal_modulation(const Graph& graph, const Backend& backend, std::span<const ValueId> keep) {
  Rewriter rewriter(graph, keep);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const auto* conv = std::get_if<ops::Conv3d>(&node.op);
    if (conv == nullptr || conv->groups == 1 || conv->stride != ops::Extent3{1, 1, 1} ||
        conv->padding != ops::Extent3{1, 0, 0} ||
        ops::Conv3d::kernel(graph.value(node.inputs[1]).spec.shape) != ops::Extent3{3, 1, 1}) {
      continue;
    }
    ops::TemporalModulation op{.conv = *conv};
    std::vector<std::size_t> members{i};
    std::vector<ValueId> inputs = node.inputs;
    ValueId value = node.outputs.front();
    const auto absorb = [&](std::size_t index) {
      members.push_back(index);
      value = rewriter.node(index).outputs.front();
    };
    if (const auto next = rewriter.sole_reader<ops::MaxPool3d>(value)) {
      const auto& pool = std::get<ops::MaxPool3d>(rewriter.node(*next).op);
      if (pool == ops::MaxPool3d{.kernel = {pool.kernel[0], 1, 1},
                                 .stride = {pool.kernel[0], 1, 1},
                                 .ceil_mode = true}) {
        op.window = pool.kernel[0];
        absorb(*next);
      }
    }
    if (const auto next = rewriter.sole_reader<ops::Add>(value)) {
      const Node& sum = rewriter.node(*next);
      ValueId other = sum.inputs[sum.inputs[0] == value ? 1 : 0];
      const bool grows = rewriter.shape(sum.outputs.front()) != rewriter.shape(value);
      std::optional<std::size_t> upsample = rewriter.private_producer<ops::Upsample>(other);
      if (upsample) {
        const auto& scale = std::get<ops::Upsample>(rewriter.node(*upsample).op).scale;
        if (scale[1] != 1 || scale[2] != 1) upsample.reset();
      }
      if (!grows && other != value) {
        op.add = true;
        absorb(*next);
        if (upsample) {
          other = rewriter.node(*upsample).inputs.front();
          members.push_back(*upsample);
        }
        inputs.push_back(other);
      }
    }
    if (backend.supports(AnyOp(op))) rewriter.replace(members, {op, inputs, {value}});
  }
  return rewriter.finish();
}

Graph fuse_classifier(const Graph& graph, const Backend& backend, std::span<const ValueId> keep) {
  Rewriter rewriter(graph, keep);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (!std::holds_alternative<ops::Linear>(node.op) || !backend.supports(AnyOp(ops::Classifier{})))
      continue;
    const auto pool = rewriter.private_producer<ops::GlobalAvgPool>(node.inputs.front());
    if (!pool) continue;
    std::vector<ValueId> inputs = node.inputs;
    inputs.front() = rewriter.node(*pool).inputs.front();
    rewriter.replace(std::vector<std::size_t>{*pool, i}, {ops::Classifier{}, inputs, node.outputs});
  }
  return rewriter.finish();
}

Graph fuse_batch_norms(const Graph& graph, std::span<const ValueId> keep) {
  Rewriter rewriter(graph, keep);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto* norm = std::get_if<ops::BatchNormTraining>(&rewriter.node(i).op);
    if (norm == nullptr || rewriter.is_gone(i)) continue;
    Node fused = rewriter.node(i);
    ops::BatchNormTraining op = *norm;
    std::vector<std::size_t> members{i};
    if (const auto sum = rewriter.sole_reader<ops::Add>(fused.outputs[0])) {
      const std::vector<ValueId>& terms = rewriter.node(*sum).inputs;
      const ValueId other = terms[terms[0] == fused.outputs[0] ? 1 : 0];
      if (rewriter.shape(other) == rewriter.shape(fused.outputs[0])) {
        op.epilogue.residual = true;
        fused.inputs.push_back(other);
        fused.outputs[0] = rewriter.node(*sum).outputs[0];
        members.push_back(*sum);
      }
    }
    if (const auto relu = rewriter.sole_reader<ops::Relu>(fused.outputs[0])) {
      op.epilogue.relu = true;
      fused.outputs[0] = rewriter.node(*relu).outputs[0];
      members.push_back(*relu);
    }
    if (members.size() == 1) continue;
    fused.op = op;
    rewriter.replace(members, std::move(fused));
  }
  return rewriter.finish();
}

Graph fuse(const Graph& graph, const Backend& backend, std::span<const ValueId> keep) {
  Graph fused = fuse_temporal_modulation(graph, backend, keep);
  fused = fuse_convolutions(fused, backend, keep);
  fused = fuse_temporal_shifts(fused, backend, keep);
  fused = fuse_level_fusion(fused, backend, keep);
  return fuse_classifier(fused, backend, keep);
}

Graph drop_unused(const Graph& graph, std::span<const ValueId> keep) {
  std::vector<bool> needed(graph.values().size());
  for (const ValueId id : keep) needed[index_of(id)] = true;
  std::vector<Node> nodes;
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    const bool wanted = std::any_of(node->outputs.begin(), node->outputs.end(), [&](ValueId id) {
      return needed[index_of(id)] || graph.value(id).updates >= 0;
    });
    if (!wanted) continue;
    for (const ValueId id : node->inputs) needed[index_of(id)] = true;
    nodes.push_back(*node);
  }
  std::reverse(nodes.begin(), nodes.end());
  return graph.with_nodes(std::move(nodes));
}

}  // namespace tpn
