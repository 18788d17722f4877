// The emulated devices and the state that CUDA keeps for each thread of the host.
#pragma once

#include <cstddef>

#include <cuda_runtime_api.h>

namespace tpn::cuda_on_cpu {

inline constexpr int max_devices = 8;
inline constexpr int multiprocessors = 132;

int device_count();

/// The calling thread's.
int current_device();

/// Keeps the error for cudaGetLastError and gives it back.
cudaError_t remember(cudaError_t status);

/// Shared memory that a block of the kernel may have, bytes: more than 48 KiB only after
/// cudaFuncSetAttribute.
struct SharedLimits {
  std::size_t dynamic;
  std::size_t total;  // with arrays of fixed size
};
SharedLimits shared_limits(const void* kernel);

}  // namespace tpn::cuda_on_cpu
