#include "benchmarks/cuda_device.h"

namespace tpn::benchmarks {

BenchmarkDevice cuda_device(std::shared_ptr<const CudaBackend> backend) {
  const cuda::DeviceInfo info = backend->device();
  return {.backend = [backend = std::move(backend)](int) { return backend; },
          .roofline =
              [info](const Numerics& numerics) {
                if (numerics.dtype != DType::f32) {
                  return Roofline{info.peak_bytes_per_second, info.peak_half_multiply_adds};
                }
                return Roofline{info.peak_bytes_per_second,
                                numerics.tf32 ? info.peak_tf32_multiply_adds : info.peak_f32_multiply_adds};
              }};
}

BenchmarkDevice cuda_device(int number, CudaLibraries libraries) {
  return cuda_device(std::make_shared<const CudaBackend>(
      CudaOptions{.device = number, .libraries = libraries, .trials = true}));
}

}  // namespace tpn::benchmarks
