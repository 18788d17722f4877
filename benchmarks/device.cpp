#include "benchmarks/device.h"

#include "engine/devices/device.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"
#ifdef TPN_HAS_CUDA
#include "benchmarks/cuda_device.h"
#endif

namespace tpn::benchmarks {

Roofline h200_roofline(Precision precision) {
  constexpr double bytes = 4.8e12, half = 989.5e12 / 2, tf32 = 494.7e12 / 2, f32 = 66.9e12 / 2;
  if (storage_type(precision) != DType::f32) return {bytes, half};
  return {bytes, precision == Precision::tf32 ? tf32 : f32};
}

BenchmarkDevice cpu_device() {
  return {
      .backend = [](int threads) { return make_backend({.threads = threads}); },
      .threads = [](const Backend& backend) { return dynamic_cast<const CpuBackend&>(backend).threads(); },
      .roofline = {}};
}

BenchmarkDevice open_device(const std::string& name, bool libraries) {
  DeviceOptions options = device_named(name);
  if (options.kind == DeviceKind::cpu) return cpu_device();
  options.libraries = libraries;
  options.keep_selections = false;  // kernels are chosen anew
#ifdef TPN_HAS_CUDA
  return cuda_device(options);
#else
  return {.backend = [backend = make_backend(options)](int) { return backend; }, .roofline = {}};
#endif
}

}  // namespace tpn::benchmarks
