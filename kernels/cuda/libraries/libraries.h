// Kernels of cuDNN and cuBLASLt, as rivals to the project's own, and exchanges by NCCL.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/collectives.h"

namespace tpn::cuda {

using Kernels = std::vector<std::unique_ptr<Kernel>>;

struct Library {
  std::string name;
  /// Its kernels for a convolution or a gradient of one on the current device, its best guess first, at most
  /// four. With `only`, no other than that of this implementation. Empty where the library is not there or
  /// does not run such an operation. The first call loads it.
  std::function<Kernels(const AnyOp& op, const Signature& signature, std::string_view only)> candidates;
  /// For instance "cuDNN 9.19.0"; empty where it cannot be used. Loads it.
  std::function<std::string()> version;
};

/// Those that this build knows.
std::vector<Library> libraries();

/// The candidates of all libraries. One that fails takes nothing from the others: it is reported with the
/// reason among `failures`. Throws Error when it has broken the device, and OutOfMemory.
Kernels library_candidates(std::span<const Library> libraries, const AnyOp& op, const Signature& signature,
                           std::vector<CandidateReport>& failures, std::string_view only = {});

/// Exchanges between the current devices of the ranks by NCCL; null, on all ranks alike, where one cannot use
/// it. Returns when all ranks have called it. Throws Error when it fails, for instance since two ranks have
/// one GPU.
std::unique_ptr<Collectives> join_gpus(const DeviceRank& rank);

/// Whether libraries' candidates have such names.
inline bool is_library_kernel(std::string_view implementation) {
  return implementation.starts_with("cudnn_") || implementation.starts_with("cublaslt_");
}

/// Of those that can be used, for instance "cuDNN 9.19.0, cuBLASLt 13.1.0"; empty for none. Loads them.
std::string library_versions(std::span<const Library> libraries);

}  // namespace tpn::cuda
