#include "kernels/cuda/tensor_map.h"

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include <cudaTypedefs.h>

#include "kernels/cuda/launch.h"

namespace tpn::cuda {
namespace {

using Encode = PFN_cuTensorMapEncodeTiled_v12000;

/// The driver's function, asked for through the runtime: a program that links the driver's library itself
/// does not start on machines without one.
Encode find_encode() {
  constexpr const char* name = "cuTensorMapEncodeTiled";
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
#if CUDART_VERSION >= 12050
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
#else
  const cudaError_t status = cudaGetDriverEntryPoint(name, &function, cudaEnableDefault, &found);
#endif
  check(status, std::string("asking the driver for ") + name);
  if (found != cudaDriverEntryPointSuccess || function == nullptr) {
    throw Error(std::string("The NVIDIA driver has no ") + name +
                ", which the kernels for Hopper need; update it to one for CUDA 12.0 or newer.");
  }
  return reinterpret_cast<Encode>(function);
}

constexpr std::size_t most_axes = 5;

}  // namespace

CUtensorMap encode_tensor_map(const void* data, ConvType type, const TensorAxes& axes) {
  static const Encode encode = find_encode();
  if (axes.empty() || axes.size() > most_axes) {
    throw Error("A tensor map has 1 to 5 axes; " + std::to_string(axes.size()) + " were given.");
  }
  std::array<cuuint64_t, most_axes> extents{}, strides{};  // a stride for each axis but the first
  std::array<cuuint32_t, most_axes> boxes{}, steps{};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    extents.at(i) = static_cast<cuuint64_t>(axes[i].extent);
    boxes.at(i) = static_cast<cuuint32_t>(axes[i].box);
    steps.at(i) = static_cast<cuuint32_t>(axes[i].step);
    if (i > 0) strides.at(i - 1) = static_cast<cuuint64_t>(axes[i].stride);
  }
  // The driver wants its alignment, which g++ 12 does not always give to what a function returns.
  std::array<std::byte, sizeof(CUtensorMap) + alignof(CUtensorMap)> memory{};
  void* aligned = memory.data();
  std::size_t room = memory.size();
  auto* const map =
      static_cast<CUtensorMap*>(std::align(alignof(CUtensorMap), sizeof(CUtensorMap), aligned, room));
  // The driver takes the address as one that may be written to, for maps that kernels store through.
  const CUresult status =
      encode(map, type == ConvType::f16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
             static_cast<cuuint32_t>(axes.size()), const_cast<void*>(data), extents.data(), strides.data(),
             boxes.data(), steps.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    std::string shape;
    for (const TensorAxis& axis : axes) {
      shape += (shape.empty() ? "" : ", ") + std::to_string(axis.extent) + " every " +
               std::to_string(axis.stride) + " bytes in boxes of " + std::to_string(axis.box);
    }
    throw Error("CUDA refused the map of a tensor (error " + std::to_string(static_cast<int>(status)) +
                "), innermost axis first: " + shape + ".");
  }
  return *map;
}

}  // namespace tpn::cuda
