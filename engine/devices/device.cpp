#include "engine/devices/device.h"

#include <string>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"
#ifdef TPN_HAS_CUDA
#include "engine/devices/cuda_device.h"
#endif

namespace tpn {
namespace {

std::shared_ptr<const Backend> make_gpu([[maybe_unused]] const DeviceOptions& options) {
#ifdef TPN_HAS_CUDA
  return make_cuda_backend({.device = options.number,
                            .libraries = options.libraries ? CudaLibraries::automatic : CudaLibraries::none,
                            .trials = !cuda::device_info(options.number).emulated},
                           options.keep_selections);
#else
  throw Error("This build of TPN cannot use CUDA devices; choose the device cpu.");
#endif
}

}  // namespace

DeviceKind fastest_device() {
#ifdef TPN_HAS_CUDA
  if (cuda::usable_devices().ok()) return DeviceKind::cuda;
#endif
  return DeviceKind::cpu;
}

std::shared_ptr<const Backend> make_backend(const DeviceOptions& options) {
  switch (options.kind) {
    case DeviceKind::cpu:
      return std::make_shared<const CpuBackend>(options.threads);
    case DeviceKind::cuda:
      return make_gpu(options);
  }
  throw Error("There is no such device.");
}

}  // namespace tpn
