#include "engine/plan/layout.h"

#include <algorithm>

namespace tpn {
namespace {

std::int64_t round_up(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

ValueLayout own_layout(const Value& value, const Backend& backend, DType storage) {
  const auto& [shape, kind, dtype] = value.spec;
  if (value.is_persistent() || value.updates >= 0) return {.dtype = dtype};
  if (kind != Kind::activation) {
    return {.dtype = dtype, .bytes = static_cast<std::size_t>(shape.count()) * size_of(dtype)};
  }
  const std::int64_t channels = shape[4];
  const std::int64_t stride = round_up(channels, backend.channel_alignment());
  return {.dtype = storage,
          .pixel_stride = stride,
          .bytes = static_cast<std::size_t>(shape.count() / channels * stride) * size_of(storage)};
}

/// Makes the inputs of concatenations slices of their outputs.
class ConcatSlicer {
 public:
  ConcatSlicer(const Graph& graph, const Backend& backend, std::span<const ValueId> keep)
      : graph_(graph), backend_(backend), keep_(keep), uses_(graph.use_counts()), producer_(uses_.size()) {
    for (const Node& node : graph.nodes()) {
      for (const ValueId id : node.outputs) producer_[index_of(id)] = &node;
    }
  }

  /// Lays out the inputs of the node; false when it has to run.
  bool slice(const Node& node, std::vector<ValueLayout>& values) const {
    if (!std::holds_alternative<ops::Concat>(node.op)) return false;
    if (!std::ranges::all_of(node.inputs, [&](ValueId part) { return can_be_slice(part); })) return false;
    const ValueId whole = node.outputs.front();
    std::int64_t channel = 0;
    for (const ValueId part : node.inputs) {
      ValueLayout& layout = values[index_of(part)];
      layout = {layout.dtype, values[index_of(whole)].pixel_stride, whole, channel, 0};
      channel += channels_of(part);
    }
    return true;
  }

 private:
  [[nodiscard]] std::int64_t channels_of(ValueId id) const { return graph_.value(id).spec.shape[4]; }

  [[nodiscard]] bool can_be_slice(ValueId part) const {
    const Node* node = producer_[index_of(part)];
    return node != nullptr && !std::holds_alternative<ops::Concat>(node->op) &&
           node->outputs.front() == part && uses_[index_of(part)] == 1 &&
           std::ranges::find(keep_, part) == keep_.end() &&
           channels_of(part) % backend_.channel_alignment() == 0 && backend_.writes_slices(node->op);
  }

  const Graph& graph_;
  const Backend& backend_;
  std::span<const ValueId> keep_;
  std::vector<int> uses_;
  std::vector<const Node*> producer_;  // of each value; null for inputs and constants
};

}  // namespace

Layout lay_out(const Graph& graph, const Backend& backend, DType storage, bool slices,
               std::span<const ValueId> keep) {
  std::vector<ValueLayout> values;
  values.reserve(graph.values().size());
  for (const Value& value : graph.values()) values.push_back(own_layout(value, backend, storage));
  if (!slices) return {graph, std::move(values)};
  const ConcatSlicer slicer(graph, backend, keep);
  std::vector<Node> nodes;
  for (const Node& node : graph.nodes()) {
    if (!slicer.slice(node, values)) nodes.push_back(node);
  }
  return {graph.with_nodes(std::move(nodes)), std::move(values)};
}

}  // namespace tpn
