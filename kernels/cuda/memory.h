// Memory of a CUDA device, and the host's from which it copies without waiting.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/memory.h"

namespace tpn::cuda {

/// What device memory is aligned to, bytes.
inline constexpr std::size_t memory_alignment = 256;

/// Memory of the current device, so aligned; no bytes: empty. Throws OutOfMemory, with what is
/// free, when there is not enough.
Buffer allocate_device(std::size_t bytes);

/// Page-locked host memory; no bytes: empty. Throws OutOfMemory when it cannot be had.
Buffer allocate_pinned(std::size_t bytes);

/// A copy on the current device of data that kernels only read, there when this returns.
std::shared_ptr<const Buffer> upload_constant(const void* host, std::size_t bytes);

/// Bytes of the current device that nobody has allocated.
std::size_t free_device_memory();

}  // namespace tpn::cuda
