// CUDA devices to benchmark.
#pragma once

#include "benchmarks/device.h"
#include "kernels/cuda/cuda_backend.h"

namespace tpn::benchmarks {

/// One that is already there.
BenchmarkDevice cuda_device(std::shared_ptr<const CudaBackend> backend);

/// The device of that number, with kernels chosen by trials anew. Throws Error when there is none.
BenchmarkDevice cuda_device(int number, CudaLibraries libraries);

}  // namespace tpn::benchmarks
