#include "kernels/cuda/libraries/cublaslt_api.h"

#include "kernels/cuda/libraries/dynamic_library.h"

namespace tpn::cuda {
namespace {

Result<CublasLtApi> load() {
  const auto functions = [](const DynamicLibrary& library, CublasLtApi& api) {
    library.load(api.version, "cublasLtGetVersion");
    library.load(api.status_string, "cublasLtGetStatusString");
    library.load(api.create, "cublasLtCreate");
    library.load(api.destroy, "cublasLtDestroy");
    library.load(api.create_product, "cublasLtMatmulDescCreate");
    library.load(api.destroy_product, "cublasLtMatmulDescDestroy");
    library.load(api.set_product, "cublasLtMatmulDescSetAttribute");
    library.load(api.create_matrix, "cublasLtMatrixLayoutCreate");
    library.load(api.destroy_matrix, "cublasLtMatrixLayoutDestroy");
    library.load(api.create_preference, "cublasLtMatmulPreferenceCreate");
    library.load(api.destroy_preference, "cublasLtMatmulPreferenceDestroy");
    library.load(api.set_preference, "cublasLtMatmulPreferenceSetAttribute");
    library.load(api.heuristic, "cublasLtMatmulAlgoGetHeuristic");
    library.load(api.algorithm_setting, "cublasLtMatmulAlgoConfigGetAttribute");
    library.load(api.multiply, "cublasLtMatmul");
  };
  return load_api<CublasLtApi>("libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR), TPN_CUBLASLT_FOLDER,
                               functions);
}

}  // namespace

void CublasLtApi::check(cublasStatus_t status, const std::string& what) const {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error("cuBLASLt failed when " + what + ": " + status_string(status) + ".");
}

const Result<CublasLtApi>& cublaslt_api() {
  static const Result<CublasLtApi> api = load();
  return api;
}

}  // namespace tpn::cuda
