// The functions of NCCL that are used, found when first needed.
#pragma once

#include <string>

#include <nccl.h>

#include "kernels/error.h"

namespace tpn::cuda {

struct NcclApi {
  decltype(&::ncclGetVersion) version = nullptr;
  decltype(&::ncclGetErrorString) error_string = nullptr;
  decltype(&::ncclGetUniqueId) make_id = nullptr;
  decltype(&::ncclCommInitRank) join = nullptr;
  decltype(&::ncclCommAbort) leave = nullptr;
  decltype(&::ncclAllReduce) reduce = nullptr;
  decltype(&::ncclBroadcast) broadcast = nullptr;
  decltype(&::ncclGroupStart) begin_group = nullptr;
  decltype(&::ncclGroupEnd) end_group = nullptr;

  /// Throws Error, naming what was tried and what NCCL says, unless it succeeded.
  void check(ncclResult_t result, const std::string& what) const;
};

/// Loads NCCL at the first call. A failure says why it cannot be used here.
const Result<NcclApi>& nccl_api();

}  // namespace tpn::cuda
