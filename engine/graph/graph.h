// A network as typed operations on named values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/op_list.h"
#include "kernels/tensor_spec.h"

namespace tpn {

/// What a value of a graph is, which decides who owns its memory and how long it lives.
enum class Role {
  input,      ///< bound by the caller at each execution
  parameter,  ///< a weight: constant in inference, updated in training
  buffer,     ///< a statistic that training keeps and inference reads: constant in inference too
  state,      ///< the optimizer's memory of a parameter
  gradient,   ///< the sum of a parameter's gradients until its next update
  saved,      ///< computed forward, kept for the backward pass
  temporary,  ///< computed and dropped within one pass
  output,     ///< computed, read by the caller
};

using ValueId = std::int32_t;

/// The place of a value in Graph::values(), and in what is kept for each of them.
constexpr std::size_t index_of(ValueId id) {
  return static_cast<std::size_t>(id);
}

struct Value {
  std::string name;  ///< of the state_dict for parameters and buffers; else of the node that makes it
  Role role = Role::temporary;
  TensorSpec spec;
  ValueId updates = -1;  ///< the parameter, buffer or state that this is the new content of; -1: none

  /// Whether it outlives a run: the file or the optimizer owns it.
  [[nodiscard]] bool is_persistent() const {
    return role == Role::parameter || role == Role::buffer || role == Role::state || role == Role::gradient;
  }
};

struct Node {
  AnyOp op;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
};

/// Nodes stand in an order in which they can be executed; every value has one producer at most.
class Graph {
 public:
  ValueId add_input(std::string name, const TensorSpec& spec);
  /// role: parameter, buffer, state or gradient.
  ValueId add_constant(std::string name, const TensorSpec& spec, Role role);

  /// Appends a node and returns its outputs; what they are, is inferred. The first has the name, the others
  /// the name and their place. Throws Error, naming the node, when the inputs do not fit the operation, or
  /// when it updates what is not persistent or has been updated before.
  std::vector<ValueId> apply_all(const AnyOp& op, std::vector<ValueId> inputs, const std::string& name);
  /// Its first output.
  ValueId apply(const AnyOp& op, std::vector<ValueId> inputs, const std::string& name) {
    return apply_all(op, std::move(inputs), name).front();
  }

  /// Gives a value a name by which results can be asked for, for instance "stage1"; a value may have several.
  void add_feature(std::string name, ValueId value);
  void set_role(ValueId value, Role role) { values_[static_cast<std::size_t>(value)].role = role; }

  [[nodiscard]] const Value& value(ValueId id) const { return values_[index_of(id)]; }
  [[nodiscard]] std::span<const Value> values() const { return values_; }
  [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<std::pair<std::string, ValueId>>& features() const { return features_; }
  /// The value of that feature name; throws Error when there is none.
  [[nodiscard]] ValueId feature(std::string_view name) const;

  /// How many node inputs read each value.
  [[nodiscard]] std::vector<int> use_counts() const;

  /// Whether each value depends on one of those, themselves included.
  [[nodiscard]] std::vector<bool> dependents(std::span<const ValueId> ids) const;

  /// The same values with other nodes: what a pass that rewrites the graph returns.
  [[nodiscard]] Graph with_nodes(std::vector<Node> nodes) const;

  /// Of a node's inputs and outputs.
  [[nodiscard]] std::vector<TensorSpec> specs(std::span<const ValueId> ids) const;

  /// Multiply-accumulates of one execution.
  [[nodiscard]] std::int64_t multiply_adds() const;

 private:
  ValueId add_value(std::string name, Role role, const TensorSpec& spec);

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<std::pair<std::string, ValueId>> features_;
};

}  // namespace tpn
