#include "kernels/cuda/libraries/libraries.h"

#include <iterator>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/stream.h"
#if defined(TPN_CUBLASLT)
#include "kernels/cuda/libraries/cublaslt_gemm.h"
#endif
#if defined(TPN_NCCL)
#include "kernels/cuda/libraries/nccl_collectives.h"
#endif
#if defined(TPN_CUDNN)
#include "kernels/cuda/libraries/cudnn_conv2d.h"
#endif

namespace tpn::cuda {

std::vector<Library> libraries() {
  std::vector<Library> found;
#if defined(TPN_CUDNN)
  found.push_back({"cuDNN", cudnn_candidates, cudnn_version});
#endif
#if defined(TPN_CUBLASLT)
  found.push_back({"cuBLASLt", cublaslt_candidates, cublaslt_version});
#endif
  return found;
}

Kernels library_candidates(std::span<const Library> libraries, const AnyOp& op, const Signature& signature,
                           std::vector<CandidateReport>& failures, std::string_view only) {
  Kernels all;
  for (const Library& library : libraries) {
    try {
      Kernels kernels = library.candidates(op, signature, only);
      std::move(kernels.begin(), kernels.end(), std::back_inserter(all));
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& e) {
      failures.push_back({.implementation = library.name, .reason = e.what()});
      require_working_device(*make_stream(), "asking " + library.name + " for kernels (" + e.what() + ")");
    }
  }
  return all;
}

std::unique_ptr<Collectives> join_gpus(const DeviceRank& rank) {
#if defined(TPN_NCCL)
  if (rank.all(nccl_api().ok())) return join_by_nccl(*nccl_api(), rank);
#else
  static_cast<void>(rank.all(false));
#endif
  return nullptr;
}

std::string library_versions(std::span<const Library> libraries) {
  std::string versions;
  for (const Library& library : libraries) {
    const std::string version = library.version();
    if (!version.empty()) versions += (versions.empty() ? "" : ", ") + version;
  }
  return versions;
}

}  // namespace tpn::cuda
