#include "engine/plan/pack_parameters.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace tpn {
namespace {

std::int64_t parameter_elements(const Graph& graph, const Node& node) {
  std::int64_t elements = 0;
  for (const ValueId id : node.inputs) {
    if (graph.value(id).is_persistent()) elements += graph.value(id).spec.shape.count();
  }
  return elements;
}

/// Packs for one node after the other.
class ParameterPacker {
 public:
  ParameterPacker(const Graph& graph, const Backend& backend, const Weights& weights)
      : graph_(graph),
        backend_(backend),
        weights_(weights),
        shared_(weights.packed(backend.memory_name())),
        result_{{},
                std::vector<std::vector<const std::byte*>>(graph.nodes().size()),
                std::vector<const std::byte*>(graph.values().size())} {}

  void pack_for(std::size_t index, const Kernel& kernel) {
    const Node& node = graph_.nodes()[index];
    std::vector<std::optional<StoredParameter>> stored;  // of the inputs
    for (const ValueId id : node.inputs) {
      const Value& value = graph_.value(id);
      stored.push_back(value.is_persistent() ? std::optional(weights_.parameter(value.name, value.spec.shape))
                                             : std::nullopt);
    }
    std::vector<bool> packed(stored.size());
    for (const auto& packing : kernel.packings()) {
      for (const std::size_t source : packing->sources()) packed[source] = true;
      result_.packed[index].push_back(keep(packing->key(), [&] {
        std::vector<StoredParameter> sources;
        for (const std::size_t source : packing->sources()) sources.push_back(stored[source].value());
        return pack(*packing, sources, backend_);
      }));
    }
    for (std::size_t i = 0; i < stored.size(); ++i) {
      if (!stored[i] || packed[i]) continue;
      const ValueId id = node.inputs[i];
      result_.values[index_of(id)] =
          keep("f32|" + graph_.value(id).name, [&] { return upload(*stored[i], backend_); });
    }
  }

  [[nodiscard]] PackedParameters take() { return std::move(result_); }

 private:
  const std::byte* keep(const std::string& key, const std::function<Buffer()>& make) {
    return result_.forms.emplace_back(shared_.get(key, make))->data();
  }

  const Graph& graph_;
  const Backend& backend_;
  const Weights& weights_;
  PackedWeights& shared_;
  PackedParameters result_;
};

}  // namespace

PackedParameters pack_parameters(const Graph& graph, std::span<const std::unique_ptr<Kernel>> kernels,
                                 const Backend& backend, const Weights& weights) {
  std::vector<std::int64_t> elements;
  for (const Node& node : graph.nodes()) elements.push_back(parameter_elements(graph, node));
  std::vector<std::size_t> order(kernels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return elements[a] > elements[b]; });
  ParameterPacker packer(graph, backend, weights);
  for (const std::size_t index : order) packer.pack_for(index, *kernels[index]);
  return packer.take();
}

}  // namespace tpn
