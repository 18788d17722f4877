// The functions of cuBLASLt that are used, found when first needed.
#pragma once

#include <string>

#include <cublasLt.h>

#include "kernels/error.h"

namespace tpn::cuda {

struct CublasLtApi {
  decltype(&::cublasLtGetVersion) version = nullptr;
  decltype(&::cublasLtGetStatusString) status_string = nullptr;
  decltype(&::cublasLtCreate) create = nullptr;
  decltype(&::cublasLtDestroy) destroy = nullptr;
  decltype(&::cublasLtMatmulDescCreate) create_product = nullptr;
  decltype(&::cublasLtMatmulDescDestroy) destroy_product = nullptr;
  decltype(&::cublasLtMatmulDescSetAttribute) set_product = nullptr;
  decltype(&::cublasLtMatrixLayoutCreate) create_matrix = nullptr;
  decltype(&::cublasLtMatrixLayoutDestroy) destroy_matrix = nullptr;
  decltype(&::cublasLtMatmulPreferenceCreate) create_preference = nullptr;
  decltype(&::cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&::cublasLtMatmulAlgoConfigGetAttribute) algorithm_setting = nullptr;
  decltype(&::cublasLtMatmul) multiply = nullptr;

  /// Throws Error, naming what was tried and what cuBLASLt says, unless it succeeded.
  void check(cublasStatus_t status, const std::string& what) const;
};

/// Loads cuBLASLt at the first call. A failure says why it cannot be used here.
const Result<CublasLtApi>& cublaslt_api();

}  // namespace tpn::cuda
