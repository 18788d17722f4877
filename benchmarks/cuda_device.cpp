#include "benchmarks/cuda_device.h"

namespace tpn::benchmarks {

BenchmarkDevice cuda_device(std::shared_ptr<const CudaBackend> backend) {
  const cuda::DeviceInfo info = backend->device();
  return {.backend = [backend = std::move(backend)](int) { return backend; },
          .roofline =
              [info](Precision precision) {
                if (storage_type(precision) != DType::f32) {
                  return Roofline{info.peak_bytes_per_second, info.peak_half_multiply_adds};
                }
                return Roofline{info.peak_bytes_per_second, precision == Precision::tf32
                                                                ? info.peak_tf32_multiply_adds
                                                                : info.peak_f32_multiply_adds};
              }};
}

BenchmarkDevice cuda_device(const DeviceOptions& options) {
  return cuda_device(std::dynamic_pointer_cast<const CudaBackend>(make_backend(options)));
}

}  // namespace tpn::benchmarks
