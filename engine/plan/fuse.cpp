#include "engine/plan/fuse.h"

#include <algorithm>
#include <optional>

namespace tpn {
namespace {

/// Grows one fused convolution along the graph: what was absorbed so far, and the value that it computes.
class ConvolutionChain {
 public:
  ConvolutionChain(const Graph& graph, std::span<const ValueId> keep, const std::vector<int>& uses,
                   const std::vector<bool>& absorbed, std::size_t start)
      : graph_(graph), keep_(keep), uses_(uses), absorbed_(absorbed), members_{start} {
    const Node& node = graph.nodes()[start];
    op_.conv = std::get<ops::Conv3d>(node.op);
    inputs_ = node.inputs;
    value_ = node.outputs.front();
  }

  void grow() {
    if (const auto next = consumer<ops::BatchNorm>()) {
      const Node& node = graph_.nodes()[*next];
      op_.norm = true;
      op_.eps = std::get<ops::BatchNorm>(node.op).eps;
      inputs_.insert(inputs_.end(), node.inputs.begin() + 1, node.inputs.end());
      absorb(*next);
    }
    if (const auto next = consumer<ops::Add>()) {
      const Node& node = graph_.nodes()[*next];
      const ValueId other = node.inputs[node.inputs[0] == value_ ? 1 : 0];
      if (other != value_ && graph_.value(other).shape == graph_.value(value_).shape) {
        op_.residual = true;
        inputs_.push_back(other);
        absorb(*next);
      }
    }
    if (const auto next = consumer<ops::Relu>()) {
      op_.relu = true;
      absorb(*next);
    }
  }

  [[nodiscard]] const std::vector<std::size_t>& members() const { return members_; }
  [[nodiscard]] const ops::FusedConv3d& op() const { return op_; }
  [[nodiscard]] Node node() const { return {op_, inputs_, {value_}}; }

 private:
  /// The node that alone reads the chain's value, if it is an Op that can be drawn in.
  template <class Op>
  [[nodiscard]] std::optional<std::size_t> consumer() const {
    if (uses_[static_cast<std::size_t>(value_)] != 1) return {};
    if (std::find(keep_.begin(), keep_.end(), value_) != keep_.end()) return {};
    for (std::size_t i = members_.back() + 1; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      if (std::find(node.inputs.begin(), node.inputs.end(), value_) == node.inputs.end()) continue;
      if (absorbed_[i] || !std::holds_alternative<Op>(node.op)) return {};
      return i;
    }
    return {};
  }

  void absorb(std::size_t node) {
    members_.push_back(node);
    value_ = graph_.nodes()[node].outputs.front();
  }

  const Graph& graph_;
  std::span<const ValueId> keep_;
  const std::vector<int>& uses_;
  const std::vector<bool>& absorbed_;
  std::vector<std::size_t> members_;
  ops::FusedConv3d op_;
  std::vector<ValueId> inputs_;
  ValueId value_ = 0;
};

}  // namespace

Graph fuse_convolutions(const Graph& graph, const Backend& backend, std::span<const ValueId> keep) {
  const std::vector<int> uses = graph.use_counts();
  std::vector<bool> absorbed(graph.nodes().size());
  std::vector<std::optional<Node>> fused(
      graph.nodes().size());  // at the place of the last node that each replaces
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!std::holds_alternative<ops::Conv3d>(graph.nodes()[i].op)) continue;
    ConvolutionChain chain(graph, keep, uses, absorbed, i);
    chain.grow();
    if (chain.members().size() == 1 || !backend.supports(chain.op())) continue;
    for (const std::size_t member : chain.members()) absorbed[member] = true;
    fused[chain.members().back()] = chain.node();
  }
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (fused[i]) {
      nodes.push_back(*fused[i]);
    } else if (!absorbed[i]) {
      nodes.push_back(graph.nodes()[i]);
    }
  }
  return graph.with_nodes(std::move(nodes));
}

Graph drop_unused(const Graph& graph, std::span<const ValueId> keep) {
  std::vector<bool> needed(graph.values().size());
  for (const ValueId id : keep) needed[static_cast<std::size_t>(id)] = true;
  std::vector<Node> nodes;
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    const bool wanted = std::any_of(node->outputs.begin(), node->outputs.end(),
                                    [&](ValueId id) { return needed[static_cast<std::size_t>(id)]; });
    if (!wanted) continue;
    for (const ValueId id : node->inputs) needed[static_cast<std::size_t>(id)] = true;
    nodes.push_back(*node);
  }
  std::reverse(nodes.begin(), nodes.end());
  return graph.with_nodes(std::move(nodes));
}

}  // namespace tpn
