#include "engine/recognize/device.h"

#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"
#ifdef TPN_HAS_CUDA
#include "kernels/cuda/cuda_backend.h"
#endif

namespace tpn {
namespace {

bool has_cuda_device() {
#ifdef TPN_HAS_CUDA
  return cuda::usable_devices().ok();
#else
  return false;
#endif
}

std::shared_ptr<const Backend> make_cuda_backend() {
#ifdef TPN_HAS_CUDA
  return std::make_shared<const CudaBackend>();
#else
  throw Error("This build of TPN cannot use CUDA devices; choose the device cpu.");
#endif
}

}  // namespace

std::shared_ptr<const Backend> make_backend(Device device, int threads) {
  switch (device) {
    case Device::automatic:
      if (has_cuda_device()) return make_cuda_backend();
      return std::make_shared<const CpuBackend>(threads);
    case Device::cpu:
      return std::make_shared<const CpuBackend>(threads);
    case Device::cuda:
      return make_cuda_backend();
  }
  throw Error("There is no such device.");
}

}  // namespace tpn
