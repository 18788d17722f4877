// Passes over the graph that make fewer, larger operations of it.
#pragma once

#include <span>

#include "engine/graph/graph.h"
#include "kernels/backend.h"

namespace tpn {

/// Draws batch norm, an addition of equal shape and ReLU into the convolution before them, where nothing else
/// reads what is between and none of it is in `keep`.
Graph fuse_convolutions(const Graph& graph, const Backend& backend, std::span<const ValueId> keep);

/// Drops the nodes that no value of `keep` depends on.
Graph drop_unused(const Graph& graph, std::span<const ValueId> keep);

}  // namespace tpn
