// Pointwise convolutions and their gradients as matrix products by cuBLASLt.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace tpn::cuda {

/// As Library::candidates.
std::vector<std::unique_ptr<Kernel>> cublaslt_candidates(const AnyOp& op, const Signature& signature,
                                                         std::string_view only);

/// "cuBLASLt 13.1.0"; empty where it cannot be used.
std::string cublaslt_version();

}  // namespace tpn::cuda
