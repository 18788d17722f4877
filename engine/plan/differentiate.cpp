#include "engine/plan/differentiate.h"

#include <algorithm>
#include <string>

namespace tpn {
namespace {

constexpr ValueId none = -1;

/// Gradients of values, as they come in from the values' readers.
class Accumulator {
 public:
  Accumulator(Graph& graph, std::size_t values) : graph_(graph), gradients_(values, none) {}

  void add(ValueId value, ValueId gradient) {
    ValueId& sum = gradients_[index_of(value)];
    sum = sum == none ? gradient
                      : graph_.apply(ops::Add{}, {sum, gradient}, graph_.value(value).name + ".gradient_sum");
  }
  [[nodiscard]] ValueId of(ValueId value) const { return gradients_[index_of(value)]; }

 private:
  Graph& graph_;
  std::vector<ValueId> gradients_;  ///< of each value of the forward pass
};

/// A node, as its operation's differentiate() sees it.
class NodeGradients {
 public:
  NodeGradients(Graph& graph, const Node& node, const std::vector<bool>& needed, Accumulator& gradients)
      : graph_(graph), node_(node), needed_(needed), gradients_(gradients) {}

  [[nodiscard]] std::size_t input_count() const { return node_.inputs.size(); }
  [[nodiscard]] ValueId input(std::size_t i) const { return node_.inputs[i]; }
  [[nodiscard]] ValueId output(std::size_t i) const { return node_.outputs[i]; }
  [[nodiscard]] TensorSpec input_spec(std::size_t i) const { return graph_.value(input(i)).spec; }
  [[nodiscard]] ValueId output_gradient() const { return gradients_.of(node_.outputs.front()); }
  [[nodiscard]] bool wants(std::size_t i) const { return needed_[index_of(input(i))]; }
  std::vector<ValueId> apply(const AnyOp& op, std::vector<ValueId> inputs) {
    return graph_.apply_all(op, std::move(inputs),
                            graph_.value(node_.outputs.front()).name + "." + std::string(name_of(op)));
  }
  void set_gradient(std::size_t i, ValueId gradient) {
    if (wants(i)) gradients_.add(input(i), gradient);
  }

 private:
  Graph& graph_;
  const Node& node_;
  const std::vector<bool>& needed_;
  Accumulator& gradients_;
};

}  // namespace

std::vector<ValueId> differentiate(Graph& graph, std::span<const ValueId> losses, ValueId scale,
                                   std::span<const ValueId> wanted) {
  const std::vector<bool> needed = graph.dependents(wanted);
  const std::size_t forward_values = graph.values().size();
  const std::vector<Node> forward(graph.nodes().begin(), graph.nodes().end());
  Accumulator gradients(graph, forward_values);
  for (const ValueId loss : losses) {
    if (needed[index_of(loss)]) gradients.add(loss, scale);
  }
  for (auto node = forward.rbegin(); node != forward.rend(); ++node) {
    const ValueId result = node->outputs.front();
    if (!needed[index_of(result)] || gradients.of(result) == none) continue;
    NodeGradients seen(graph, *node, needed, gradients);
    std::visit(
        [&](const auto& op) {
          if constexpr (requires { op.differentiate(seen); }) {
            op.differentiate(seen);
          } else {
            throw Error(graph.value(result).name + ": the operation " + std::string(op.name) +
                        " has no gradient.");
          }
        },
        node->op);
  }
  for (std::size_t i = forward.size(); i < graph.nodes().size(); ++i) {
    for (const ValueId id : graph.nodes()[i].inputs) {
      if (index_of(id) < forward_values && graph.value(id).role == Role::temporary)
        graph.set_role(id, Role::saved);
    }
  }
  std::vector<ValueId> result;
  for (const ValueId id : wanted) result.push_back(gradients.of(id));
  return result;
}

}  // namespace tpn
