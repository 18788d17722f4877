// Activation recomputation: the backward pass computes again what is cheap, instead of keeping it.
#pragma once

#include <cstddef>

#include "engine/graph/graph.h"

namespace tpn {

/// Lets the nodes from `backward` on, the backward pass, read values of the forward pass that are computed
/// again just before their first reader there, where the operation that makes them says how
/// (kernels/ops/op.h) and all that this takes is kept anyway, or computed again itself. Convolutions' outputs
/// are kept, then, and what batch norms, ReLUs, sums and shifts make of them is not. Kept values have
/// Role::saved.
Graph recompute(const Graph& graph, std::size_t backward);

}  // namespace tpn
