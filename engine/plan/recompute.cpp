#include "engine/plan/recompute.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tpn {
namespace {

/// The operation that makes a value again.
struct Recomputation {
  AnyOp op;
  std::vector<ValueId> inputs;
};

/// A node, as its operation's recompute() sees it.
class NodeValues {
 public:
  explicit NodeValues(const Node& node) : node_(node) {}

  [[nodiscard]] ValueId input(std::size_t i) const { return node_.inputs[i]; }
  [[nodiscard]] ValueId output(std::size_t i) const { return node_.outputs[i]; }
  [[nodiscard]] const std::vector<ValueId>& inputs() const { return node_.inputs; }
  [[nodiscard]] static Recomputation apply(const AnyOp& op, std::vector<ValueId> inputs) {
    return {op, std::move(inputs)};
  }

 private:
  const Node& node_;
};

/// How output 0 of the node is made again; nothing where its operation does not say.
std::optional<Recomputation> recomputation_of(const Node& node) {
  return std::visit(
      [&](const auto& op) -> std::optional<Recomputation> {
        const NodeValues values(node);
        if constexpr (requires { op.recompute(values); }) return op.recompute(values);
        return {};
      },
      node.op);
}

class Recomputer {
 public:
  Recomputer(const Graph& graph, std::size_t backward)
      : graph_(graph), backward_(backward), is_forward_(graph.values().size()), is_read_(is_forward_) {
    for (std::size_t i = 0; i < backward; ++i) {
      const Node& node = graph.nodes()[i];
      for (const ValueId id : node.outputs) is_forward_[index_of(id)] = true;
      if (auto how = recomputation_of(node)) recomputations_.emplace(node.outputs.front(), std::move(*how));
    }
    for (std::size_t i = backward; i < graph.nodes().size(); ++i) {
      for (const ValueId id : graph.nodes()[i].inputs) is_read_[index_of(id)] = true;
    }
  }

  Graph run() {
    const std::vector<Node> nodes(graph_.nodes().begin(), graph_.nodes().end());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      Node node = nodes[i];
      if (i >= backward_) {
        for (ValueId& id : node.inputs) id = in_backward_pass(id);
      }
      nodes_.push_back(std::move(node));
    }
    return graph_.with_nodes(std::move(nodes_));
  }

 private:
  /// Whether a value can be computed again from what is kept anyway.
  bool is_recomputed(ValueId id) {
    const auto known = decided_.find(id);
    if (known != decided_.end()) return known->second;
    const auto how = recomputations_.find(id);
    const bool yes = how != recomputations_.end() &&
                     std::ranges::all_of(how->second.inputs, [&](ValueId input) { return is_there(input); });
    return decided_.emplace(id, yes).first->second;
  }

  /// Whether a value is at hand in the backward pass at little cost: it outlives the run, has no pixels, is
  /// read there, or is computed again.
  bool is_there(ValueId id) {
    const Value& value = graph_.value(id);
    return !is_forward_[index_of(id)] || value.spec.kind != Kind::activation || is_recomputed(id) ||
           is_read_[index_of(id)];
  }

  /// What stands for the value in the backward pass.
  ValueId in_backward_pass(ValueId id) {
    if (!is_forward_[index_of(id)]) return id;
    if (!is_recomputed(id)) {
      if (graph_.value(id).role == Role::temporary) graph_.set_role(id, Role::saved);
      return id;
    }
    const auto known = again_.find(id);
    if (known != again_.end()) return known->second;
    Recomputation how = recomputations_.at(id);
    for (ValueId& input : how.inputs) input = in_backward_pass(input);
    if (graph_.value(id).role == Role::saved) graph_.set_role(id, Role::temporary);
    const ValueId again = graph_.apply(how.op, std::move(how.inputs), graph_.value(id).name + ".again");
    nodes_.push_back(graph_.nodes().back());
    return again_.emplace(id, again).first->second;
  }

  Graph graph_;  ///< grows
  std::size_t backward_;
  std::map<ValueId, Recomputation> recomputations_;  ///< of the forward pass
  std::vector<bool> is_forward_;                     ///< of each value: made by the forward pass
  std::vector<bool> is_read_;  ///< of each value: by the backward pass, as the graph was
  std::map<ValueId, bool> decided_;
  std::map<ValueId, ValueId> again_;
  std::vector<Node> nodes_;  ///< of the result
};

}  // namespace

Graph recompute(const Graph& graph, std::size_t backward) {
  return Recomputer(graph, backward).run();
}

}  // namespace tpn
