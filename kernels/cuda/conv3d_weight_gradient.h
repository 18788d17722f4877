// The kernels of weight gradients, one by one: for tests that run each of them whatever the estimate says.
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace tpn::cuda {

/// The plain kernel, which runs every weight gradient.
std::unique_ptr<Kernel> compile_plain(const ops::Conv3dWeightGradient& op, const Signature& signature);

}  // namespace tpn::cuda
