// Stands in for the CUDA toolkit's header of the same name when kernels are compiled for the CPU: this folder
// comes first on their include path. Types and host functions are the toolkit's own declarations; what a
// compiler for GPUs has built in is declared here. See tests/cuda_on_cpu/README.md.
#pragma once

#define CUDA_ON_CPU 1

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include "tests/cuda_on_cpu/device_functions.h"
#include "tests/cuda_on_cpu/device_math.h"

// Shared memory is declared with TPN_SHARED and TPN_DYNAMIC_SHARED only; these would silently make local
// variables.
#undef __shared__
#undef __constant__
#define __launch_bounds__(...)

/// As in kernels/cuda/device.cuh. An array belongs to its place in the source: every block has its own.
#define TPN_SHARED(type, name, count)                                                              \
  static constexpr ::tpn::cuda_on_cpu::SharedArray name##_in_shared{#name, sizeof(type) * (count), \
                                                                    alignof(type)};                \
  type(&name)[count] = *static_cast<type(*)[count]>(::tpn::cuda_on_cpu::shared_array(name##_in_shared))
#define TPN_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::tpn::cuda_on_cpu::dynamic_shared())

namespace tpn::cuda_on_cpu {

/// Gives findings the kernel's name; without it they show its address.
void name_kernel(const void* kernel, const char* name);

/// Enqueues a kernel, of which `body` runs one thread.
cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body);

}  // namespace tpn::cuda_on_cpu

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  std::tuple<std::remove_cv_t<Parameters>...> values(std::forward<Arguments>(arguments)...);
  return tpn::cuda_on_cpu::launch(*config, reinterpret_cast<const void*>(kernel),
                                  [kernel, values] { std::apply(kernel, values); });
}

// What the toolkit's header adds to the C functions.
template <class T>
cudaError_t cudaMalloc(T** pointer, std::size_t size) {
  return cudaMalloc(reinterpret_cast<void**>(pointer), size);
}
template <class T>
cudaError_t cudaMallocAsync(T** pointer, std::size_t size, cudaStream_t stream) {
  return cudaMallocAsync(reinterpret_cast<void**>(pointer), size, stream);
}
template <class T>
cudaError_t cudaMallocHost(T** pointer, std::size_t size) {
  return cudaMallocHost(reinterpret_cast<void**>(pointer), size);
}
template <class T>
cudaError_t cudaHostAlloc(T** pointer, std::size_t size, unsigned int flags) {
  return cudaHostAlloc(reinterpret_cast<void**>(pointer), size, flags);
}
template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute attribute, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class... Parameters>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*kernel)(Parameters...)) {
  return cudaFuncGetAttributes(attributes, reinterpret_cast<const void*>(kernel));
}
template <class... Parameters>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void (*kernel)(Parameters...),
                                                          int threads, std::size_t shared_bytes) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void*>(kernel), threads,
                                                       shared_bytes);
}
