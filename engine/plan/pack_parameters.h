// A model's parameters as the kernels of a plan read them, made once: for plans whose parameters do not
// change.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/model/weights.h"
#include "kernels/packed_weights.h"

namespace tpn {

/// Where kernels find parameters in the memory of a backend.
struct PackedParameters {
  std::vector<PackedWeights::Form> forms;             ///< what the pointers point into
  std::vector<std::vector<const std::byte*>> packed;  ///< of each node, by Kernel::packings()
  std::vector<const std::byte*> values;  ///< of each value, f32; null where no kernel reads it as it is
};

/// Packs what the kernels of the graph's nodes ask for, or finds it packed by another plan of the weights.
/// One node's parameters at a time are there in their stored form, largest first. Throws Error when a weight
/// is missing, mis-shaped or such that there is no result, and OutOfMemory.
PackedParameters pack_parameters(const Graph& graph, std::span<const std::unique_ptr<Kernel>> kernels,
                                 const Backend& backend, const Weights& weights);

}  // namespace tpn
