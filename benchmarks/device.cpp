#include "benchmarks/device.h"

#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"
#ifdef TPN_HAS_CUDA
#include "benchmarks/cuda_device.h"
#endif

namespace tpn::benchmarks {

Roofline h200_roofline(const Numerics& numerics) {
  constexpr double bytes = 4.8e12, half = 989.5e12 / 2, tf32 = 494.7e12 / 2, f32 = 66.9e12 / 2;
  if (numerics.dtype != DType::f32) return {bytes, half};
  return {bytes, numerics.tf32 ? tf32 : f32};
}

BenchmarkDevice cpu_device() {
  return {
      .backend = [](int threads) { return std::make_shared<const CpuBackend>(threads); },
      .threads = [](const Backend& backend) { return dynamic_cast<const CpuBackend&>(backend).threads(); },
      .roofline = {}};
}

BenchmarkDevice open_device(const std::string& name, [[maybe_unused]] bool libraries) {
  if (name == "cpu") return cpu_device();
  const std::string number = name.starts_with("cuda:") ? name.substr(5) : name == "cuda" ? "0" : "";
  if (number.empty() || number.size() > 3 || number.find_first_not_of("0123456789") != std::string::npos) {
    throw Error("There is no device '" + name + "': there are cpu, cuda, and cuda:N with a number N.");
  }
#ifdef TPN_HAS_CUDA
  return cuda_device(std::stoi(number), libraries ? CudaLibraries::automatic : CudaLibraries::none);
#else
  throw Error("This build of TPN cannot use CUDA devices; choose the device cpu.");
#endif
}

}  // namespace tpn::benchmarks
