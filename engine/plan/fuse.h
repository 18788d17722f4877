// Passes over the graph that make fewer, larger operations of it. Each makes an operation only where the
// backend supports it, where nothing else reads what is between, and where none of that is in `keep`.
#pragma once

#include <span>

#include "engine/graph/graph.h"
#include "kernels/backend.h"

namespace tpn {

/// All of the following, in an order in which none takes another's operations away.
Graph fuse(const Graph& graph, const Backend& backend, std::span<const ValueId> keep);

/// A grouped (3,1,1) convolution, the max pool over frames after it, and the addition of a level above, which
/// may be upsampled, become TemporalModulation.
Graph fuse_temporal_modulation(const Graph& graph, const Backend& backend, std::span<const ValueId> keep);

/// Draws batch norm, an addition and ReLU into the convolution before them. The addend has the shape of the
/// sum, or one frame of it.
Graph fuse_convolutions(const Graph& graph, const Backend& backend, std::span<const ValueId> keep);

/// Draws a temporal shift into the pointwise convolutions that read it, if all of them can take it. A shift
/// of no channels is dropped.
Graph fuse_temporal_shifts(const Graph& graph, const Backend& backend, std::span<const ValueId> keep);

/// A grouped pointwise convolution with its epilogue becomes LevelFusion, with the pool before it.
Graph fuse_level_fusion(const Graph& graph, const Backend& backend, std::span<const ValueId> keep);

/// Global average pool and linear become Classifier.
Graph fuse_classifier(const Graph& graph, const Backend& backend, std::span<const ValueId> keep);

/// Draws an addition and ReLU into the batch norm before them, where it has the statistics of the batch. For
/// graphs to differentiate: whether a backend runs the result is not asked.
Graph fuse_batch_norms(const Graph& graph, std::span<const ValueId> keep);

/// Drops the nodes that neither a value of `keep` nor an update of a parameter, buffer or state depends on.
Graph drop_unused(const Graph& graph, std::span<const ValueId> keep);

}  // namespace tpn
