// How the values of a graph lie in memory: types, strides, and concatenations that are never carried out.
#pragma once

#include <span>
#include <vector>

#include "engine/graph/graph.h"
#include "kernels/backend.h"

namespace tpn {

/// How a value lies in memory; what outlives the run has its own.
struct ValueLayout {
  DType dtype = DType::f32;
  std::int64_t pixel_stride = 0;  ///< as of Operand: 0 for all but activations, which are dense
  ValueId whole = -1;             ///< the wider tensor that this is a channel slice of; -1: none
  std::int64_t channel = 0;       ///< of that, where the slice begins
  std::size_t bytes = 0;          ///< of memory of its own; a slice has none
};

struct Layout {
  Graph graph;                      ///< without the concatenations that layout makes unnecessary
  std::vector<ValueLayout> values;  ///< by ValueId
};

/// Lays out the values of a graph for a backend: activations in `storage`, their channels padded to the
/// backend's alignment, all else dense and in its own type. With `slices`, what is only concatenated is
/// written into its place in the concatenation, where the backend's kernels can do that; values of `keep`
/// stay whole.
Layout lay_out(const Graph& graph, const Backend& backend, DType storage, bool slices,
               std::span<const ValueId> keep);

}  // namespace tpn
