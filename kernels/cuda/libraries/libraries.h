// Kernels of cuDNN and cuBLASLt, as rivals to the project's own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace tpn::cuda {

/// The libraries' kernels for a convolution on the current device, each library's best guess first: at most
/// four of each. With `only`, no other than that of this implementation. Empty where the libraries are not
/// there or do not run such a convolution. The libraries are loaded by the first call.
std::vector<std::unique_ptr<Kernel>> library_candidates(const ops::FusedConv3d& op,
                                                        const Signature& signature,
                                                        std::string_view only = {});

/// Whether library_candidates() gives its kernels such names.
inline bool is_library_kernel(std::string_view implementation) {
  return implementation.starts_with("cudnn_") || implementation.starts_with("cublaslt_");
}

/// The versions of the libraries that can be used, for instance "cuDNN 9.19.0, cuBLASLt 13.1.0"; empty for
/// none. Loads them.
std::string library_versions();

}  // namespace tpn::cuda
