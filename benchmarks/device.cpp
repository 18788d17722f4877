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
  if (name == "cpu") return cpu_device();
  const std::string number = name.starts_with("cuda:") ? name.substr(5) : name == "cuda" ? "0" : "";
  if (number.empty() || number.size() > 3 || number.find_first_not_of("0123456789") != std::string::npos) {
    throw Error("There is no device '" + name + "': there are cpu, cuda, and cuda:N with a number N.");
  }
  const DeviceOptions options{.kind = DeviceKind::cuda,
                              .number = std::stoi(number),
                              .libraries = libraries,
                              .keep_selections = false};  // kernels are chosen anew
#ifdef TPN_HAS_CUDA
  return cuda_device(options);
#else
  return {.backend = [backend = make_backend(options)](int) { return backend; }, .roofline = {}};
#endif
}

}  // namespace tpn::benchmarks
