#include "kernels/cuda/libraries/libraries.h"

#if defined(TPN_CUBLASLT)
#include "kernels/cuda/libraries/cublaslt_gemm.h"
#endif
#if defined(TPN_CUDNN)
#include "kernels/cuda/libraries/cudnn_conv2d.h"
#endif

namespace tpn::cuda {

std::vector<std::unique_ptr<Kernel>> library_candidates([[maybe_unused]] const ops::FusedConv3d& op,
                                                        [[maybe_unused]] const Signature& signature,
                                                        [[maybe_unused]] std::string_view only) {
  std::vector<std::unique_ptr<Kernel>> all;
  [[maybe_unused]] const auto append = [&](std::vector<std::unique_ptr<Kernel>> kernels) {
    for (auto& kernel : kernels) all.push_back(std::move(kernel));
  };
#if defined(TPN_CUBLASLT)
  append(cublaslt_candidates(op, signature, only));
#endif
#if defined(TPN_CUDNN)
  append(cudnn_candidates(op, signature, only));
#endif
  return all;
}

std::string library_versions() {
  std::string versions;
  [[maybe_unused]] const auto append = [&](const std::string& version) {
    if (!version.empty()) versions += (versions.empty() ? "" : ", ") + version;
  };
#if defined(TPN_CUDNN)
  append(cudnn_version());
#endif
#if defined(TPN_CUBLASLT)
  append(cublaslt_version());
#endif
  return versions;
}

}  // namespace tpn::cuda
