#include "engine/recognize/device.h"

#include <algorithm>
#include <string>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"
#ifdef TPN_HAS_CUDA
#include "engine/exec/selection_file.h"
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

std::shared_ptr<const Backend> make_cuda_backend([[maybe_unused]] const DeviceOptions& options) {
#ifdef TPN_HAS_CUDA
  CudaOptions chosen{
      .device = options.number,
      .libraries = options.libraries == Libraries::none ? CudaLibraries::none : CudaLibraries::automatic,
      .trials = !cuda::device_info(options.number).emulated};
  if (const auto file = selection_file(); file && chosen.trials) {
    chosen.selections = std::make_shared<SelectionStore>(load_selections(*file));
    chosen.on_compiled = [file = *file](SelectionStore& store) { save_selections(file, store); };
  }
  return std::make_shared<const CudaBackend>(std::move(chosen));
#else
  throw Error("This build of TPN cannot use CUDA devices; choose the device cpu.");
#endif
}

}  // namespace

std::vector<DeviceOptions> choose_devices(const RecognizerOptions& options) {
  Device device = options.device;
  if (device == Device::automatic) device = has_cuda_device() ? Device::cuda : Device::cpu;
  const std::vector<int> numbers = options.devices.empty() ? std::vector<int>{0} : options.devices;
  if (device == Device::cpu && numbers != std::vector<int>{0}) {
    throw Error("The device cpu is one; only devices of cuda have numbers.");
  }
  std::vector<DeviceOptions> devices;
  for (const int number : numbers) {
    if (number < 0) throw Error("There is no device " + std::to_string(number) + ".");
    if (std::ranges::count(numbers, number) > 1) {
      throw Error("The device " + std::to_string(number) + " is given twice.");
    }
    devices.push_back({device, number, options.threads, options.libraries});
  }
  return devices;
}

std::shared_ptr<const Backend> make_backend(const DeviceOptions& options) {
  switch (options.device) {
    case Device::cpu:
      return std::make_shared<const CpuBackend>(options.threads);
    case Device::cuda:
      return make_cuda_backend(options);
    case Device::automatic:
      break;
  }
  throw Error("There is no such device.");
}

}  // namespace tpn
