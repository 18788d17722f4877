// The runtime's functions that allocate, copy and fill memory.
#include <cstring>
#include <memory>
#include <vector>

#include "tests/cuda_on_cpu/devices.h"
#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/stream.h"

namespace tpn::cuda_on_cpu {

namespace {

/// One end of a copy.
struct Place {
  bool on_device = false;
  bool pinned = false;
  bool valid = true;  // all bytes in one allocation
};

Place find_place(const void* address, std::size_t size) {
  const auto allocation = find_allocation(address);
  if (!allocation.has_value()) return {};
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - allocation->begin);
  return {allocation->kind == MemoryKind::device, allocation->kind == MemoryKind::pinned,
          size <= allocation->size - offset};
}

bool kind_fits(cudaMemcpyKind kind, bool from_device, bool to_device) {
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !from_device && !to_device;
    case cudaMemcpyHostToDevice:
      return !from_device && to_device;
    case cudaMemcpyDeviceToHost:
      return from_device && !to_device;
    case cudaMemcpyDeviceToDevice:
      return from_device && to_device;
    default:
      return kind == cudaMemcpyDefault;
  }
}

/// Rows of bytes; one row for plain copies.
struct Rows {
  void* to;
  std::size_t to_pitch;
  const void* from;
  std::size_t from_pitch;
  std::size_t width;
  std::size_t height;

  [[nodiscard]] std::size_t to_extent() const { return (height - 1) * to_pitch + width; }
  [[nodiscard]] std::size_t from_extent() const { return (height - 1) * from_pitch + width; }
  void copy() const {
    open_for_copy(to);
    open_for_copy(from);
    for (std::size_t i = 0; i < height; ++i) {
      std::memmove(static_cast<std::byte*>(to) + i * to_pitch,
                   static_cast<const std::byte*>(from) + i * from_pitch, width);
    }
  }
};

cudaError_t copy(Rows rows, cudaMemcpyKind kind, cudaStream_t stream, bool wait) {
  if (rows.width == 0 || rows.height == 0) return cudaSuccess;
  if (rows.width > rows.to_pitch || rows.width > rows.from_pitch) return cudaErrorInvalidPitchValue;
  const Place to = find_place(rows.to, rows.to_extent());
  const Place from = find_place(rows.from, rows.from_extent());
  if (!to.valid || !from.valid || !kind_fits(kind, from.on_device, to.on_device))
    return cudaErrorInvalidValue;

  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  cudaStreamIsCapturing(stream, &capturing);
  Operation operation;
  if (from.pinned) {
    operation.host_reads = {static_cast<std::byte*>(const_cast<void*>(rows.from)), rows.from_extent()};
  }
  if (to.pinned) operation.host_writes = {static_cast<std::byte*>(rows.to), rows.to_extent()};
  // Pageable memory: the source is read before the call returns, the destination written.
  if (!from.on_device && !from.pinned && capturing == cudaStreamCaptureStatusNone) {
    const auto* bytes = static_cast<const std::byte*>(rows.from);
    auto staged = std::make_shared<std::vector<std::byte>>(bytes, bytes + rows.from_extent());
    rows.from = staged->data();
    operation.run = [rows, staged] {
      rows.copy();
      return cudaSuccess;
    };
  } else {
    operation.run = [rows] {
      rows.copy();
      return cudaSuccess;
    };
  }
  wait |= !to.on_device && !to.pinned && capturing == cudaStreamCaptureStatusNone;
  const cudaError_t status = enqueue(stream, std::move(operation));
  return status == cudaSuccess && wait ? synchronize(queue_of(stream)) : status;
}

cudaError_t fill(void* address, int value, std::size_t size, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  const Place place = find_place(address, size);
  if (!place.valid || !(place.on_device || place.pinned)) return cudaErrorInvalidValue;
  return enqueue(stream, {[=] {
                            open_for_copy(address);
                            std::memset(address, value, size);
                            return cudaSuccess;
                          },
                          {},
                          {},
                          {}});
}

cudaError_t allocate_for(void** pointer, std::size_t size, MemoryKind kind) {
  *pointer = nullptr;
  if (device_count() == 0) return cudaErrorNoDevice;
  const cudaError_t refused = refuse_during_capture();
  if (refused != cudaSuccess) return refused;
  if (size == 0) return cudaSuccess;
  *pointer = allocate(size, kind, current_device());
  return *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

/// Like CUDA's, it waits for all devices' work first.
cudaError_t free_memory(void* pointer, MemoryKind kind) {
  if (pointer == nullptr) return cudaSuccess;
  const auto allocation = find_allocation(pointer);
  if (!allocation.has_value() || allocation->begin != pointer) return cudaErrorInvalidValue;
  const cudaError_t refused = refuse_during_capture();
  if (refused != cudaSuccess) return refused;
  const cudaError_t status = synchronize_device(current_device());
  return release(pointer, kind) ? status : cudaErrorInvalidValue;
}

}  // namespace

}  // namespace tpn::cuda_on_cpu

using namespace tpn::cuda_on_cpu;  // NOLINT(google-build-using-namespace): functions of C follow

cudaError_t cudaMalloc(void** pointer, std::size_t size) {
  return remember(allocate_for(pointer, size, MemoryKind::device));
}
cudaError_t cudaMallocHost(void** pointer, std::size_t size) {
  return remember(allocate_for(pointer, size, MemoryKind::pinned));
}
cudaError_t cudaHostAlloc(void** pointer, std::size_t size, unsigned /*flags*/) {
  return cudaMallocHost(pointer, size);
}
cudaError_t cudaFree(void* pointer) {
  return remember(free_memory(pointer, MemoryKind::device));
}
cudaError_t cudaFreeHost(void* pointer) {
  return remember(free_memory(pointer, MemoryKind::pinned));
}

cudaError_t cudaMallocAsync(void** pointer, std::size_t size, cudaStream_t /*stream*/) {
  return cudaMalloc(pointer, size);
}
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  const auto allocation = find_allocation(pointer);
  if (!allocation.has_value() || allocation->begin != pointer) return remember(cudaErrorInvalidValue);
  return remember(enqueue(
      stream,
      {[pointer] { return release(pointer, MemoryKind::device) ? cudaSuccess : cudaErrorInvalidValue; },
       {},
       {},
       {}}));
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  if (device_count() == 0) return remember(cudaErrorNoDevice);
  *free = free_device_memory(current_device());
  *total = total_device_memory();
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  *attributes = cudaPointerAttributes{};
  attributes->device = cudaInvalidDeviceId;
  const auto allocation = find_allocation(pointer);
  if (!allocation.has_value()) return cudaSuccess;
  attributes->device = allocation->device;
  if (allocation->kind == MemoryKind::device) {
    attributes->type = cudaMemoryTypeDevice;
    attributes->devicePointer = const_cast<void*>(pointer);
  } else {
    attributes->type = cudaMemoryTypeHost;
    attributes->hostPointer = const_cast<void*>(pointer);
  }
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return remember(copy({to, size, from, size, size, 1}, kind, stream, false));
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t size, cudaMemcpyKind kind) {
  return remember(copy({to, size, from, size, size, 1}, kind, nullptr, true));
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  return remember(copy({to, to_pitch, from, from_pitch, width, height}, kind, stream, false));
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  return remember(copy({to, to_pitch, from, from_pitch, width, height}, kind, nullptr, true));
}
cudaError_t cudaMemsetAsync(void* address, int value, std::size_t size, cudaStream_t stream) {
  return remember(fill(address, value, size, stream));
}
cudaError_t cudaMemset(void* address, int value, std::size_t size) {
  return remember(fill(address, value, size, nullptr));
}
