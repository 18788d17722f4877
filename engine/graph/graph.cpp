#include "engine/graph/graph.h"

#include <algorithm>

namespace tpn {

ValueId Graph::add_value(std::string name, Role role, const TensorSpec& spec) {
  values_.push_back({std::move(name), role, spec});
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Graph::add_input(std::string name, const TensorSpec& spec) {
  return add_value(std::move(name), Role::input, spec);
}

ValueId Graph::add_constant(std::string name, const TensorSpec& spec, Role role) {
  return add_value(std::move(name), role, spec);
}

std::vector<ValueId> Graph::apply_all(const AnyOp& op, std::vector<ValueId> inputs, const std::string& name) {
  std::vector<TensorSpec> results;
  try {
    results = infer(op, specs(inputs));
  } catch (const Error& e) {
    throw Error(name + ": " + e.what());
  }
  Node node{op, std::move(inputs), {}};
  for (const TensorSpec& spec : results) {
    const std::size_t place = node.outputs.size();
    node.outputs.push_back(
        add_value(place == 0 ? name : name + "." + std::to_string(place), Role::temporary, spec));
  }
  for (const auto& [output, input] : aliases(op, node.inputs.size())) {
    const ValueId old = node.inputs[input];
    const bool updated = std::ranges::any_of(values_, [&](const Value& v) { return v.updates == old; });
    if (!value(old).is_persistent() || updated) {
      throw Error(name + ": '" + value(old).name + "' " +
                  (updated ? "is updated twice." : "does not outlive a run and cannot be updated."));
    }
    values_[static_cast<std::size_t>(node.outputs[output])].updates = old;
  }
  nodes_.push_back(std::move(node));
  return nodes_.back().outputs;
}

void Graph::add_feature(std::string name, ValueId value) {
  features_.emplace_back(std::move(name), value);
}

ValueId Graph::feature(std::string_view name) const {
  const auto found =
      std::find_if(features_.begin(), features_.end(), [&](const auto& f) { return f.first == name; });
  if (found == features_.end()) throw Error("The network has no feature named '" + std::string(name) + "'.");
  return found->second;
}

std::vector<int> Graph::use_counts() const {
  std::vector<int> counts(values_.size());
  for (const Node& node : nodes_) {
    for (const ValueId id : node.inputs) ++counts[index_of(id)];
  }
  return counts;
}

std::vector<bool> Graph::dependents(std::span<const ValueId> ids) const {
  std::vector<bool> depends(values_.size());
  for (const ValueId id : ids) depends[index_of(id)] = true;
  for (const Node& node : nodes_) {
    if (std::ranges::none_of(node.inputs, [&](ValueId id) { return depends[index_of(id)]; })) continue;
    for (const ValueId id : node.outputs) depends[index_of(id)] = true;
  }
  return depends;
}

Graph Graph::with_nodes(std::vector<Node> nodes) const {
  Graph graph = *this;
  graph.nodes_ = std::move(nodes);
  return graph;
}

std::vector<TensorSpec> Graph::specs(std::span<const ValueId> ids) const {
  std::vector<TensorSpec> result;
  result.reserve(ids.size());
  for (const ValueId id : ids) result.push_back(value(id).spec);
  return result;
}

std::int64_t Graph::multiply_adds() const {
  std::int64_t sum = 0;
  for (const Node& node : nodes_) sum += tpn::multiply_adds(node.op, specs(node.inputs), specs(node.outputs));
  return sum;
}

}  // namespace tpn
