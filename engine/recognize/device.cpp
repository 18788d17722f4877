#include "engine/recognize/device.h"

#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"

namespace tpn {

std::shared_ptr<const Backend> make_backend(Device device, int threads) {
  switch (device) {
    case Device::automatic:
    case Device::cpu:
      return std::make_shared<const CpuBackend>(threads);
    case Device::cuda:
      throw Error("This build of TPN cannot use CUDA devices; choose the device cpu.");
  }
  throw Error("There is no such device.");
}

}  // namespace tpn
