// CUDA's backend, with a memory for the kernels that trials have found.
#pragma once

#include <memory>

#include "kernels/cuda/cuda_backend.h"

namespace tpn {

/// options: without `selections` and `on_compiled`. keep_selections: whether what trials find out is kept in
/// selection_file(). Throws Error when the device is not there or cannot be used.
std::shared_ptr<const CudaBackend> make_cuda_backend(CudaOptions options, bool keep_selections = true);

}  // namespace tpn
