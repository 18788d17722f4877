// Exchanges between GPUs by NCCL.
#pragma once

#include <memory>

#include "kernels/collectives.h"
#include "kernels/cuda/libraries/nccl_api.h"

namespace tpn::cuda {

/// Joins the ranks' current devices; returns when all ranks have called it. api: must outlive the result.
/// Sums come out as the same bits on all ranks.
std::unique_ptr<Collectives> join_by_nccl(const NcclApi& api, const DeviceRank& rank);

}  // namespace tpn::cuda
