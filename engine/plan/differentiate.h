// The backward pass of a graph, from what each operation declares about its gradient (kernels/ops/op.h).
#pragma once

#include <span>
#include <vector>

#include "engine/graph/graph.h"

namespace tpn {

/// Appends the nodes that compute the gradients of the sum of `losses`, scalars, with respect to the values
/// `wanted`, and returns those in that order; -1 where no loss depends on one. `scale`, a scalar, is what the
/// gradient of each loss itself is: 1, or more where small gradients would vanish in 16 bits. What depends on
/// no wanted value costs nothing: no nodes, no saved values. Values of the forward pass that the backward
/// pass reads become Role::saved. Throws Error, naming the node, where one on the way has no gradient.
std::vector<ValueId> differentiate(Graph& graph, std::span<const ValueId> losses, ValueId scale,
                                   std::span<const ValueId> wanted);

}  // namespace tpn
