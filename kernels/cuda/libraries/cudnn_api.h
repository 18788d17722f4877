// The functions of cuDNN that are used, found when first needed.
#pragma once

#include <string>

#include <cudnn_graph.h>

#include "kernels/error.h"

namespace tpn::cuda {

struct CudnnApi {
  decltype(&::cudnnGetVersion) version = nullptr;
  decltype(&::cudnnGetErrorString) error_string = nullptr;
  decltype(&::cudnnGetLastErrorString) last_error_string = nullptr;
  decltype(&::cudnnCreate) create = nullptr;
  decltype(&::cudnnDestroy) destroy = nullptr;
  decltype(&::cudnnSetStream) set_stream = nullptr;
  decltype(&::cudnnBackendCreateDescriptor) create_descriptor = nullptr;
  decltype(&::cudnnBackendDestroyDescriptor) destroy_descriptor = nullptr;
  decltype(&::cudnnBackendFinalize) finalize = nullptr;
  decltype(&::cudnnBackendSetAttribute) set_attribute = nullptr;
  decltype(&::cudnnBackendGetAttribute) get_attribute = nullptr;
  decltype(&::cudnnBackendExecute) execute = nullptr;

  /// Throws Error, naming what was tried and what cuDNN says, unless it succeeded.
  void check(cudnnStatus_t status, const std::string& what) const;
};

/// Loads cuDNN at the first call: 9.8 or newer, which can make plans for a device that is described to it.
/// A failure says why it cannot be used here.
const Result<CudnnApi>& cudnn_api();

}  // namespace tpn::cuda
