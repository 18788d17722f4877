// CUDA devices to benchmark.
#pragma once

#include "benchmarks/device.h"
#include "engine/devices/device.h"
#include "kernels/cuda/cuda_backend.h"

namespace tpn::benchmarks {

/// One that is already there.
BenchmarkDevice cuda_device(std::shared_ptr<const CudaBackend> backend);

/// Throws Error as make_backend().
BenchmarkDevice cuda_device(const DeviceOptions& options);

}  // namespace tpn::benchmarks
