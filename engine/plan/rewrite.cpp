#include "engine/plan/rewrite.h"

#include <algorithm>
#include <utility>

namespace tpn {

Rewriter::Rewriter(const Graph& graph, std::span<const ValueId> keep)
    : graph_(graph),
      keep_(keep),
      state_(graph.nodes().size()),
      producer_(graph.values().size()),
      readers_(graph.values().size()) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const ValueId id : node(i).inputs) readers_[index_of(id)].push_back(i);
    for (const ValueId id : node(i).outputs) producer_[index_of(id)] = i;
  }
}

bool Rewriter::is_internal(ValueId value) const {
  return std::ranges::find(keep_, value) == keep_.end();
}

void Rewriter::replace(std::span<const std::size_t> members, Node node) {
  for (const std::size_t member : members) state_[member].gone = true;
  state_[*std::ranges::max_element(members)].replacement = std::move(node);
}

Graph Rewriter::finish() const {
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < state_.size(); ++i) {
    if (state_[i].replacement) {
      nodes.push_back(*state_[i].replacement);
    } else if (!state_[i].gone) {
      nodes.push_back(node(i));
    }
  }
  return graph_.with_nodes(std::move(nodes));
}

}  // namespace tpn
