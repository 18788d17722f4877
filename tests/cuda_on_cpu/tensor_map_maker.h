// Tensor maps for tests, made as a program does: by the driver's function, which the runtime finds.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <cuda.h>
#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

namespace tpn::cuda_on_cpu::test {

/// What cuTensorMapEncodeTiled is given; dimensions from the innermost.
struct MapSpec {
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  void* address = nullptr;
  std::vector<cuuint64_t> extents;
  std::vector<cuuint64_t> strides;  // bytes; of all dimensions but the innermost
  std::vector<cuuint32_t> box;
  std::vector<cuuint32_t> steps{};  // 1 each where empty
  CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_NONE;
  CUtensorMapInterleave interleave = CU_TENSOR_MAP_INTERLEAVE_NONE;
  CUtensorMapFloatOOBfill fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
};

inline CUresult encode(const MapSpec& spec, CUtensorMap& map) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult result{};
  if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault,
                                       &result) != cudaSuccess ||
      result != cudaDriverEntryPointSuccess) {
    throw std::runtime_error("the driver has no tensor maps");
  }
  const std::vector<cuuint32_t> steps =
      spec.steps.empty() ? std::vector<cuuint32_t>(spec.extents.size(), 1) : spec.steps;
  return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function)(
      &map, spec.type, static_cast<cuuint32_t>(spec.extents.size()), spec.address, spec.extents.data(),
      spec.strides.data(), spec.box.data(), steps.data(), spec.interleave, spec.swizzle,
      CU_TENSOR_MAP_L2_PROMOTION_NONE, spec.fill);
}

inline CUtensorMap make_map(const MapSpec& spec) {
  CUtensorMap map;
  if (encode(spec, map) != CUDA_SUCCESS) throw std::runtime_error("the driver refuses the tensor map");
  return map;
}

/// Of a row-major matrix of 16-bit elements, with boxes of 64 columns (128 bytes), swizzled.
inline CUtensorMap matrix_map(CUtensorMapDataType type, void* elements, std::size_t rows, std::size_t columns,
                              std::size_t box_rows) {
  return make_map({type,
                   elements,
                   {columns, rows},
                   {2 * columns},
                   {64, static_cast<cuuint32_t>(box_rows)},
                   {},
                   CU_TENSOR_MAP_SWIZZLE_128B});
}

}  // namespace tpn::cuda_on_cpu::test
