#include "engine/devices/device.h"

#include <string>

#include "engine/model/text.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"
#ifdef TPN_HAS_CUDA
#include "engine/devices/cuda_device.h"
#include "kernels/cuda/libraries/libraries.h"
#endif

namespace tpn {
namespace {

std::shared_ptr<const Backend> make_gpu([[maybe_unused]] const DeviceOptions& options) {
#ifdef TPN_HAS_CUDA
  return make_cuda_backend(
      {.device = options.number,
       .libraries =
           options.libraries && !options.deterministic ? CudaLibraries::automatic : CudaLibraries::none,
       .trials = !options.deterministic && !cuda::device_info(options.number).emulated},
      options.keep_selections);
#else
  throw Error("This build of TPN cannot use CUDA devices; choose the device cpu.");
#endif
}

}  // namespace

DeviceOptions device_named(const std::string& name) {
  if (name == "auto") return {.kind = fastest_device()};
  if (name == "cpu") return {};
  const std::string number = name.starts_with("cuda:") ? name.substr(5) : name == "cuda" ? "0" : "";
  if (number.empty() || number.size() > 3 || number.find_first_not_of("0123456789") != std::string::npos) {
    throw OptionError("There is no device " + in_quotes(name) +
                      ": there are auto, cpu, cuda, and cuda:N with a number N.");
  }
  return {.kind = DeviceKind::cuda, .number = std::stoi(number)};
}

DeviceKind fastest_device() {
#ifdef TPN_HAS_CUDA
  if (cuda::usable_devices().ok()) return DeviceKind::cuda;
#endif
  return DeviceKind::cpu;
}

std::shared_ptr<const Backend> make_backend(const DeviceOptions& options) {
  switch (options.kind) {
    case DeviceKind::cpu:
      return std::make_shared<const CpuBackend>(options.threads, options.deterministic);
    case DeviceKind::cuda:
      return make_gpu(options);
  }
  throw Error("There is no such device.");
}

std::unique_ptr<Collectives> join_devices(const DeviceOptions& options, const Backend& device,
                                          const DeviceRank& rank) {
  const bool can_join = options.kind == DeviceKind::cuda && options.libraries;
  if (!rank.all(can_join)) return nullptr;
#ifdef TPN_HAS_CUDA
  device.enter_thread();
  return cuda::join_gpus(rank);
#else
  static_cast<void>(device);
  return nullptr;
#endif
}

}  // namespace tpn
