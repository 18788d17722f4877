#include "tests/cuda_on_cpu/tensor_map.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include <cuda.h>
#include <cuda_runtime_api.h>

#include "tests/cuda_on_cpu/devices.h"

namespace tpn::cuda_on_cpu {

namespace {

constexpr std::uint64_t mark_of_maps = 0x74706e206d617073U;
constexpr std::size_t swizzle_span = 128;  // bytes
constexpr int first_version = 12000;       // of CUDA, with tensor maps

static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap) && std::is_trivially_copyable_v<TensorMap>);

/// 0: one that is not emulated.
std::size_t element_bytes(CUtensorMapDataType type) {
  switch (type) {
    case CU_TENSOR_MAP_DATA_TYPE_UINT8:
      return 1;
    case CU_TENSOR_MAP_DATA_TYPE_UINT16:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
    case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
      return 2;
    case CU_TENSOR_MAP_DATA_TYPE_UINT32:
    case CU_TENSOR_MAP_DATA_TYPE_INT32:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
      return 4;
    case CU_TENSOR_MAP_DATA_TYPE_UINT64:
    case CU_TENSOR_MAP_DATA_TYPE_INT64:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT64:
      return 8;
    default:
      return 0;
  }
}

/// Whether each number is in 1 .. most.
template <class T>
bool all_within(std::span<const T> numbers, std::uint64_t most) {
  return std::all_of(numbers.begin(), numbers.end(), [most](T n) { return n != 0 && n <= most; });
}

/// Whether each dimension holds the one before it a whole number of times: "each following dimension stride
/// includes the previous one".
bool strides_are_nested(const cuuint64_t* extents, const cuuint64_t* strides, cuuint32_t rank,
                        std::size_t element) {
  for (cuuint32_t i = 0; i + 1 < rank; ++i) {
    const std::uint64_t inner = i == 0 ? element : strides[i - 1];
    if (inner == 0) continue;  // of a type that is not emulated
    if (i > 0 && strides[i] % inner != 0) return false;
    if (strides[i] / inner < extents[i]) return false;
  }
  return true;
}

/// "To load N elements, boxDim must be set to N * elementStrides." The innermost step is ignored.
bool boxes_are_whole_steps(const cuuint32_t* box, const cuuint32_t* steps, cuuint32_t rank) {
  for (cuuint32_t i = 1; i < rank; ++i) {
    if (box[i] % steps[i] != 0) return false;
  }
  return true;
}

/// cuTensorMapEncodeTiled, with the checks that its documentation names.
// NOLINTNEXTLINE(readability-non-const-parameter): the driver's type
CUresult CUDAAPI encode_tiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                              const cuuint64_t* extents, const cuuint64_t* strides, const cuuint32_t* box,
                              const cuuint32_t* steps, CUtensorMapInterleave interleave,
                              CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                              CUtensorMapFloatOOBfill fill) {
  const auto aligned = [](const void* pointer, std::uintptr_t to) {
    return reinterpret_cast<std::uintptr_t>(pointer) % to == 0;
  };
  if (map == nullptr || address == nullptr || extents == nullptr || box == nullptr || steps == nullptr ||
      rank == 0 || rank > TensorMap::max_rank || (rank > 1 && strides == nullptr)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (!aligned(map, 64) || !aligned(address, 16) || promotion > CU_TENSOR_MAP_L2_PROMOTION_L2_256B) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (!all_within(std::span(extents, rank), std::uint64_t{1} << 32) ||
      !all_within(std::span(box, rank), 256) || !all_within(std::span(steps, rank), 8)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  for (cuuint32_t i = 0; i + 1 < rank; ++i) {
    if (strides[i] % 16 != 0 || strides[i] >= std::uint64_t{1} << 40) return CUDA_ERROR_INVALID_VALUE;
  }
  if (!strides_are_nested(extents, strides, rank, element_bytes(type)) ||
      !boxes_are_whole_steps(box, steps, rank)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  const std::size_t element = element_bytes(type);
  const bool swizzled = swizzle == CU_TENSOR_MAP_SWIZZLE_128B;
  if (element == 0 || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE ||
      (!swizzled && swizzle != CU_TENSOR_MAP_SWIZZLE_NONE) || fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) {
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  const std::size_t row_bytes = box[0] * element;
  if (row_bytes % 16 != 0 || (swizzled && row_bytes > swizzle_span)) return CUDA_ERROR_INVALID_VALUE;
  if (swizzled && row_bytes < swizzle_span) return CUDA_ERROR_NOT_SUPPORTED;

  TensorMap encoded{mark_of_maps,
                    static_cast<const std::byte*>(address),
                    {},
                    {},
                    {},
                    {},
                    static_cast<std::uint8_t>(rank),
                    static_cast<std::uint8_t>(element),
                    swizzled};
  encoded.extents.fill(1);
  encoded.counts.fill(1);
  encoded.steps.fill(1);
  encoded.strides[0] = element;
  for (cuuint32_t i = 0; i < rank; ++i) {
    const cuuint32_t step = i == 0 ? 1 : steps[i];  // the innermost is ignored
    encoded.extents[i] = extents[i];
    encoded.steps[i] = static_cast<std::uint8_t>(step);
    encoded.counts[i] = static_cast<std::uint16_t>(box[i] / step);
    if (i > 0) encoded.strides[i] = strides[i - 1];
  }
  std::memset(map, 0, sizeof(*map));
  std::memcpy(map, &encoded, sizeof(encoded));
  return CUDA_SUCCESS;
}

cudaError_t find_driver_function(const char* symbol, void** function, int version,
                                 cudaDriverEntryPointQueryResult* result) {
  if (symbol == nullptr || function == nullptr || version > CUDART_VERSION)
    return remember(cudaErrorInvalidValue);
  const bool known = std::string_view(symbol) == "cuTensorMapEncodeTiled";
  const bool given = known && version >= first_version;
  *function = given ? reinterpret_cast<void*>(&encode_tiled) : nullptr;
  if (result != nullptr) {
    *result = given   ? cudaDriverEntryPointSuccess
              : known ? cudaDriverEntryPointVersionNotSufficent
                      : cudaDriverEntryPointSymbolNotFound;
  }
  return cudaSuccess;
}

}  // namespace

bool decode(const CUtensorMap_st& map, TensorMap& decoded) {
  std::memcpy(&decoded, &map, sizeof(decoded));
  return decoded.mark == mark_of_maps;
}

}  // namespace tpn::cuda_on_cpu

cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function, unsigned long long /*flags*/,
                                    cudaDriverEntryPointQueryResult* result) {
  return tpn::cuda_on_cpu::find_driver_function(symbol, function, CUDART_VERSION, result);
}
#if CUDART_VERSION >= 12050
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned version,
                                             unsigned long long /*flags*/,
                                             cudaDriverEntryPointQueryResult* result) {
  return tpn::cuda_on_cpu::find_driver_function(symbol, function, static_cast<int>(version), result);
}
#endif
