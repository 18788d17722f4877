// The one way in which kernels are started, and CUDA's errors as tpn::Error.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <cuda_runtime.h>

#include "kernels/backend.h"
#include "kernels/error.h"

namespace tpn::cuda {

/// Throws Error, naming what was tried, unless it succeeded.
void check(cudaError_t status, const std::string& what);

/// Throws Error unless all work of the stream ends well. Some failures stay with CUDA's context: an illegal
/// access or a trap makes every later call fail, so that whoever bears a failure has to ask. after: what may
/// have caused it, for the message.
void require_working_device(Stream& stream, const std::string& after);

/// CUDA's number of the device that the calling thread works with.
int current_device();
int device_attribute(cudaDeviceAttr which, int device);

/// How many threads run a kernel, and the dynamic shared memory of each block (bytes).
struct LaunchShape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
};

/// Blocks of `block` elements, the last perhaps not full, that `count` of them take.
inline unsigned blocks_for(std::int64_t count, std::int64_t block) {
  return static_cast<unsigned>((count + block - 1) / block);
}

/// Does `work` and returns what launch() starts meanwhile on this thread. Not to be nested.
std::vector<LaunchReport> observe_launches(const std::function<void()>& work);

/// Blocks of the kernel that a multiprocessor of the current device has room for at once; lets the kernel
/// have that much shared memory.
int resident_blocks(const char* name, const void* kernel, int threads, std::size_t shared_bytes);

namespace detail {

/// Throws Error when the shape is outside CUDA's limits; lets the kernel have that much shared memory.
void prepare_launch(const char* name, const void* kernel, const LaunchShape& shape);

}  // namespace detail

/// Enqueues kernel(arguments...) on the stream. name: of the kernel, for messages. Throws Error when it
/// cannot be started.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            Arguments&&... arguments) {
#ifdef CUDA_ON_CPU
  cuda_on_cpu::name_kernel(reinterpret_cast<const void*>(kernel), name);
#endif
  detail::prepare_launch(name, reinterpret_cast<const void*>(kernel), shape);
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, Parameters(std::forward<Arguments>(arguments))...),
        std::string("starting the kernel ") + name);
}

}  // namespace tpn::cuda
