#include "kernels/cuda/memory.h"

#include <string>

#include "kernels/cuda/launch.h"

namespace tpn::cuda {
namespace {

// Release functions ignore what CUDA returns: at a program's end the device may be gone before its memory,
// and an earlier kernel's failure is reported here a second time.
void release_device(std::byte* data) noexcept {
  static_cast<void>(cudaFree(data));
}

void release_pinned(std::byte* data) noexcept {
  static_cast<void>(cudaFreeHost(data));
}

}  // namespace

Buffer allocate_device(std::size_t bytes) {
  if (bytes == 0) return {};
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw OutOfMemory("The CUDA device is out of memory: " + std::to_string(bytes) +
                      " bytes are needed, and " + std::to_string(free_device_memory()) + " are free.");
  }
  check(status, "allocating " + std::to_string(bytes) + " bytes");
  return {static_cast<std::byte*>(data), bytes, release_device};
}

Buffer allocate_pinned(std::size_t bytes) {
  if (bytes == 0) return {};
  void* data = nullptr;
  // Portable: page-locked for every device, not only the current one.
  check(cudaHostAlloc(&data, bytes, cudaHostAllocPortable),
        "allocating " + std::to_string(bytes) + " bytes of page-locked host memory");
  return {static_cast<std::byte*>(data), bytes, release_pinned};
}

std::shared_ptr<const Buffer> upload_constant(const void* host, std::size_t bytes) {
  auto buffer = std::make_shared<const Buffer>(allocate_device(bytes));
  if (bytes == 0) return buffer;
  const std::string what = "copying a table of " + std::to_string(bytes) + " bytes to the device";
  check(cudaMemcpy(buffer->data(), host, bytes, cudaMemcpyHostToDevice), what);
  // From pageable memory cudaMemcpy returns once the bytes have left it, and streams of other threads do not
  // wait for their arrival.
  check(cudaStreamSynchronize(nullptr), what);
  return buffer;
}

std::size_t free_device_memory() {
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for the device's free memory");
  return free;
}

}  // namespace tpn::cuda
