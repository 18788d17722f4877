// Convolutions and their gradients by cuDNN.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace tpn::cuda {

/// As Library::candidates.
std::vector<std::unique_ptr<Kernel>> cudnn_candidates(const AnyOp& op, const Signature& signature,
                                                      std::string_view only);

/// "cuDNN 9.19.0"; empty where it cannot be used.
std::string cudnn_version();

}  // namespace tpn::cuda
