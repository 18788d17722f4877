#include "benchmarks/device.h"

#include "kernels/cpu/cpu_backend.h"

namespace tpn::benchmarks {

BenchmarkDevice cpu_device() {
  return {.backend = [](int threads) { return std::make_shared<const CpuBackend>(threads); },
          .threads = [](const Backend& backend) { return dynamic_cast<const CpuBackend&>(backend).threads(); },
          .roofline = {}};
}

}  // namespace tpn::benchmarks
