// What passes that replace several nodes of a graph by one are made with.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "engine/graph/graph.h"

namespace tpn {

/// Collects replacements in a graph. Values of `keep` stay readable: nothing that makes one of them is
/// replaced by an operation that does not.
class Rewriter {
 public:
  Rewriter(const Graph& graph, std::span<const ValueId> keep);

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Node& node(std::size_t index) const { return graph_.nodes()[index]; }
  [[nodiscard]] const Shape& shape(ValueId value) const { return graph_.value(value).spec.shape; }

  /// The node that makes a value, if it is an Op that nothing has replaced and that nobody but one node
  /// reads: it may be drawn into that node.
  template <class Op>
  [[nodiscard]] std::optional<std::size_t> private_producer(ValueId value) const {
    const std::optional<std::size_t> index = producer_[index_of(value)];
    if (!index || !is_private(value) || !available<Op>(*index)) return {};
    return index;
  }
  /// The node that alone reads a value, if it is an Op that nothing has replaced.
  template <class Op>
  [[nodiscard]] std::optional<std::size_t> sole_reader(ValueId value) const {
    if (!is_private(value)) return {};
    const std::vector<std::size_t>& readers = readers_[index_of(value)];
    if (readers.size() != 1 || !available<Op>(readers.front())) return {};
    return readers.front();
  }
  /// All nodes that read a value, one entry per input.
  [[nodiscard]] const std::vector<std::size_t>& readers(ValueId value) const {
    return readers_[index_of(value)];
  }
  /// Whether nothing outside of the graph reads the value.
  [[nodiscard]] bool is_internal(ValueId value) const;

  /// Puts `node` in the place of the last of the members, all of which go.
  void replace(std::span<const std::size_t> members, Node node);
  /// Takes a node out; nobody may read what it makes any more.
  void remove(std::size_t index) { state_[index].gone = true; }
  [[nodiscard]] bool is_gone(std::size_t index) const { return state_[index].gone; }

  /// The rewritten graph.
  [[nodiscard]] Graph finish() const;

 private:
  struct State {
    bool gone = false;
    std::optional<Node> replacement;  ///< stands where the node stood
  };

  [[nodiscard]] bool is_private(ValueId value) const {
    return is_internal(value) && readers_[index_of(value)].size() == 1;
  }
  template <class Op>
  [[nodiscard]] bool available(std::size_t index) const {
    return !state_[index].gone && std::holds_alternative<Op>(node(index).op);
  }

  const Graph& graph_;
  std::span<const ValueId> keep_;
  std::vector<State> state_;                          // of each node
  std::vector<std::optional<std::size_t>> producer_;  // of each value
  std::vector<std::vector<std::size_t>> readers_;     // of each value, in order
};

}  // namespace tpn
