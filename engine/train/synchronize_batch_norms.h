// Batch norms whose statistics are those of all processes' batches.
#pragma once

#include <cstdint>

#include "engine/graph/graph.h"

namespace tpn {

/// Puts an exchange between ranks into every batch norm that takes the statistics of the batch, and into its
/// gradient (kernels/ops/batch_norm_synchronized.h). Adds the input training_input::present.
Graph synchronize_batch_norms(const Graph& graph, std::int64_t ranks);

}  // namespace tpn
