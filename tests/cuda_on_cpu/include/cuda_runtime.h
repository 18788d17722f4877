// Stands in for the CUDA toolkit's header of the same name when kernels are compiled for the CPU: this folder
// comes first on their include path. Types and host functions are the toolkit's own declarations; what a
// compiler for GPUs has built in is declared here. See tests/cuda_on_cpu/README.md.
#pragma once

#define CUDA_ON_CPU 1

#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include "tests/cuda_on_cpu/device_functions.h"
#include "tests/cuda_on_cpu/device_math.h"

// NOLINTBEGIN(bugprone-reserved-identifier,bugprone-macro-parentheses,readability-identifier-naming): CUDA's
// names

// Shared memory is declared with TPN_SHARED and TPN_DYNAMIC_SHARED only; these would silently make local
// variables.
#undef __shared__
#undef __constant__
#define __launch_bounds__(...)

/// As in kernels/cuda/device.cuh. An array belongs to its place in the source: every block has its own.
#define TPN_SHARED(type, name, count)                                                           \
  static constexpr ::tpn::cuda_on_cpu::SharedArray name##_in_shared{#name, sizeof(type[count]), \
                                                                    alignof(type)};             \
  type(&name)[count] = *static_cast<type(*)[count]>(::tpn::cuda_on_cpu::shared_array(name##_in_shared))
#define TPN_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::tpn::cuda_on_cpu::dynamic_shared())

namespace tpn::cuda_on_cpu {

/// Gives findings the kernel's name; without it they show its address.
void name_kernel(const void* kernel, const char* name);

/// A kernel and its arguments.
class KernelCall {
 public:
  /// size: of the object, bytes. It is the only memory of the host that a kernel's threads read.
  explicit KernelCall(std::size_t size) : size_(size) {}
  virtual ~KernelCall() = default;
  KernelCall(const KernelCall&) = delete;
  KernelCall& operator=(const KernelCall&) = delete;

  /// Runs one thread.
  virtual void run() const = 0;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::size_t size_;
};

template <class... Parameters>
class BoundKernel final : public KernelCall {
 public:
  using Values = std::tuple<std::remove_cv_t<Parameters>...>;
  BoundKernel(void (*kernel)(Parameters...), Values values)
      : KernelCall(sizeof(BoundKernel)), kernel_(kernel), values_(std::move(values)) {}
  void run() const override { std::apply(kernel_, values_); }

 private:
  void (*kernel_)(Parameters...);
  Values values_;
};

/// Enqueues a kernel.
cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel,
                   std::shared_ptr<const KernelCall> call);

}  // namespace tpn::cuda_on_cpu

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  using Call = tpn::cuda_on_cpu::BoundKernel<Parameters...>;
  return tpn::cuda_on_cpu::launch(
      *config, reinterpret_cast<const void*>(kernel),
      std::make_shared<const Call>(kernel, typename Call::Values(std::forward<Arguments>(arguments)...)));
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

// NOLINTEND(bugprone-reserved-identifier,bugprone-macro-parentheses,readability-identifier-naming)
