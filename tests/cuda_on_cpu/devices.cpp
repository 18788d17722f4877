// The runtime's functions about devices, kernels' attributes and errors.
#include "tests/cuda_on_cpu/devices.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include <cuda_profiler_api.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/shared_memory.h"

namespace tpn::cuda_on_cpu {

namespace {

std::atomic<int> count_of_devices{1};
constinit thread_local int device_of_thread = 0;
constinit thread_local cudaError_t last_error = cudaSuccess;

struct KernelAttributes {
  std::mutex mutex;
  std::map<const void*, std::size_t> shared_bytes;
  std::map<const void*, int> carveouts;  // percent of a multiprocessor's memory to be shared memory
};

KernelAttributes& kernel_attributes() {
  static KernelAttributes attributes;
  return attributes;
}

struct ErrorText {
  cudaError_t status;
  const char* name;
  const char* text;
};

constexpr ErrorText error_texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorLaunchTimeout, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "the stream was not the origin of the capture"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
     "the capture has a branch that was not joined"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
};

const ErrorText* find_text(cudaError_t status) {
  const auto* found = std::find_if(std::begin(error_texts), std::end(error_texts),
                                   [status](const ErrorText& text) { return text.status == status; });
  return found == std::end(error_texts) ? nullptr : found;
}

/// Zero for those that are not emulated.
int attribute(cudaDeviceAttr attribute) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      return 1024;
    case cudaDevAttrMaxBlockDimZ:
      return 64;
    case cudaDevAttrMaxGridDimX:
      return 2147483647;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      return 65535;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return static_cast<int>(SharedMemory::fixed_limit);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return static_cast<int>(SharedMemory::total_limit);
    case cudaDevAttrReservedSharedMemoryPerBlock:
      return static_cast<int>(SharedMemory::reserved_per_block);
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return 228 * 1024;
    case cudaDevAttrTotalConstantMemory:
      return 64 * 1024;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return 65536;
    case cudaDevAttrMultiProcessorCount:
      return multiprocessors;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return 2048;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return 32;
    case cudaDevAttrComputeCapabilityMajor:
      return 9;
    case cudaDevAttrComputeCapabilityMinor:
      return 0;
    case cudaDevAttrL2CacheSize:
      return 50 * 1024 * 1024;
    case cudaDevAttrClockRate:
      return 1980000;  // kHz
    case cudaDevAttrMemoryClockRate:
      return 2619000;  // kHz
    case cudaDevAttrGlobalMemoryBusWidth:
      return 5120;  // bits
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrMemoryPoolsSupported:
      return 1;
    case cudaDevAttrAsyncEngineCount:
      return 3;
    default:
      return 0;
  }
}

}  // namespace

int device_count() {
  return count_of_devices;
}
int current_device() {
  return device_of_thread;
}

cudaError_t remember(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

SharedLimits shared_limits(const void* kernel) {
  KernelAttributes& all = kernel_attributes();
  const std::lock_guard lock(all.mutex);
  const auto found = all.shared_bytes.find(kernel);
  if (found == all.shared_bytes.end()) return {SharedMemory::fixed_limit, SharedMemory::fixed_limit};
  return {std::max(found->second, SharedMemory::fixed_limit), SharedMemory::total_limit};
}

void set_device_count(int count) {
  count_of_devices = std::clamp(count, 0, max_devices);
}

}  // namespace tpn::cuda_on_cpu

using namespace tpn::cuda_on_cpu;  // NOLINT(google-build-using-namespace): functions of C follow

cudaError_t cudaGetDeviceCount(int* count) {
  *count = device_count();
  return remember(*count == 0 ? cudaErrorNoDevice : cudaSuccess);
}

cudaError_t cudaGetDevice(int* device) {
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  *device = current_device();
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  if (device < 0 || device >= device_count()) return remember(cudaErrorInvalidDevice);
  device_of_thread = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  if (device < 0 || device >= device_count()) return remember(cudaErrorInvalidDevice);
  *value = attribute(which);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= device_count()) return remember(cudaErrorInvalidDevice);
  *properties = cudaDeviceProp{};
  std::strncpy(properties->name, "CUDA on CPU", sizeof(properties->name) - 1);
  properties->uuid.bytes[0] = static_cast<char>(device + 1);
  properties->totalGlobalMem = total_device_memory();
  properties->sharedMemPerBlock = SharedMemory::fixed_limit;
  properties->sharedMemPerBlockOptin = SharedMemory::total_limit;
  properties->sharedMemPerMultiprocessor =
      static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor));
  properties->reservedSharedMemPerBlock = SharedMemory::reserved_per_block;
  properties->regsPerBlock = attribute(cudaDevAttrMaxRegistersPerBlock);
  properties->regsPerMultiprocessor = attribute(cudaDevAttrMaxRegistersPerMultiprocessor);
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = attribute(cudaDevAttrMaxThreadsPerBlock);
  properties->maxThreadsPerMultiProcessor = attribute(cudaDevAttrMaxThreadsPerMultiProcessor);
  properties->maxBlocksPerMultiProcessor = attribute(cudaDevAttrMaxBlocksPerMultiprocessor);
  properties->maxThreadsDim[0] = attribute(cudaDevAttrMaxBlockDimX);
  properties->maxThreadsDim[1] = attribute(cudaDevAttrMaxBlockDimY);
  properties->maxThreadsDim[2] = attribute(cudaDevAttrMaxBlockDimZ);
  properties->maxGridSize[0] = attribute(cudaDevAttrMaxGridDimX);
  properties->maxGridSize[1] = attribute(cudaDevAttrMaxGridDimY);
  properties->maxGridSize[2] = attribute(cudaDevAttrMaxGridDimZ);
  properties->major = attribute(cudaDevAttrComputeCapabilityMajor);
  properties->minor = attribute(cudaDevAttrComputeCapabilityMinor);
  properties->multiProcessorCount = multiprocessors;
  properties->l2CacheSize = attribute(cudaDevAttrL2CacheSize);
  properties->memoryBusWidth = attribute(cudaDevAttrGlobalMemoryBusWidth);
  properties->asyncEngineCount = attribute(cudaDevAttrAsyncEngineCount);
  properties->concurrentKernels = 1;
  properties->unifiedAddressing = 1;
  properties->pciBusID = device + 1;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
  if (device < 0 || device >= device_count()) return remember(cudaErrorInvalidDevice);
  if (length < 13) return remember(cudaErrorInvalidValue);
  const std::string id = "0000:0" + std::to_string(device + 1) + ":00.0";  // 12 characters
  std::memcpy(text, id.c_str(), id.size() + 1);
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = device_count() == 0 ? 0 : CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (least != nullptr) *least = 0;
  if (greatest != nullptr) *greatest = -5;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute which, int value) {
  KernelAttributes& all = kernel_attributes();
  const std::lock_guard lock(all.mutex);
  if (which == cudaFuncAttributePreferredSharedMemoryCarveout) {
    if (value < cudaSharedmemCarveoutDefault || value > cudaSharedmemCarveoutMaxShared)
      return remember(cudaErrorInvalidValue);
    all.carveouts[kernel] = value;
    return cudaSuccess;
  }
  if (which != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
      static_cast<std::size_t>(value) > SharedMemory::total_limit) {
    return remember(cudaErrorInvalidValue);
  }
  all.shared_bytes[kernel] = static_cast<std::size_t>(value);
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  *attributes = cudaFuncAttributes{};
  attributes->maxThreadsPerBlock = attribute(cudaDevAttrMaxThreadsPerBlock);
  attributes->maxDynamicSharedSizeBytes = static_cast<int>(shared_limits(kernel).dynamic);
  {
    KernelAttributes& all = kernel_attributes();
    const std::lock_guard lock(all.mutex);
    const auto carveout = all.carveouts.find(kernel);
    attributes->preferredShmemCarveout =
        carveout == all.carveouts.end() ? cudaSharedmemCarveoutDefault : carveout->second;
  }
  attributes->numRegs = 64;  // unknown here; a usual figure
  attributes->binaryVersion = attributes->ptxVersion = 90;
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int threads,
                                                          std::size_t shared_bytes) {
  if (threads <= 0 || threads > attribute(cudaDevAttrMaxThreadsPerBlock))
    return remember(cudaErrorInvalidValue);
  const std::size_t available =
      static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor));
  const std::size_t needed = shared_bytes + SharedMemory::reserved_per_block;
  const int by_threads = attribute(cudaDevAttrMaxThreadsPerMultiProcessor) / ((threads + 31) / 32 * 32);
  const bool fits = shared_bytes <= shared_limits(kernel).dynamic;
  *blocks = fits ? std::min({static_cast<int>(available / needed), by_threads,
                             attribute(cudaDevAttrMaxBlocksPerMultiprocessor)})
                 : 0;
  return cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t status) {
  const ErrorText* found = find_text(status);
  return found == nullptr ? "unrecognized error code" : found->name;
}

const char* cudaGetErrorString(cudaError_t status) {
  const ErrorText* found = find_text(status);
  return found == nullptr ? "unrecognized error code" : found->text;
}

cudaError_t cudaGetLastError() {
  return std::exchange(last_error, cudaSuccess);
}
cudaError_t cudaPeekAtLastError() {
  return last_error;
}

// There is no profiler.
cudaError_t cudaProfilerStart() {
  return cudaSuccess;
}
cudaError_t cudaProfilerStop() {
  return cudaSuccess;
}
