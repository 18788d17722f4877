#include "kernels/cuda/device_info.h"

#include <cuda_runtime_api.h>

#include "kernels/cuda/launch.h"

namespace tpn::cuda {
namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Multiply-adds of a multiprocessor in one clock.
struct Width {
  double f32;
  double half;  ///< on tensor cores, f16 or bf16 with sums in f32; tf32 has half of it
};

/// Of the fastest products of an architecture; an unknown one is taken for the latest that is older.
Width width_of(int major, int minor) {
  if (major >= 12) return {128, 512};
  if (major >= 10) return {128, 4096};
  if (major == 9) return {128, 2048};
  if (minor == 0) return {64, 1024};
  return {128, 512};
}

DeviceInfo read(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking for the properties of the device");
  DeviceInfo info;
  info.index = index;
  info.name = properties.name;
#ifdef CUDA_ON_CPU
  info.emulated = true;
#endif
  info.major = properties.major;
  info.minor = properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.memory_bytes = properties.totalGlobalMem;
  info.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
  info.shared_bytes_per_block = properties.sharedMemPerBlockOptin;
  info.clock_hz = 1e3 * device_attribute(cudaDevAttrClockRate, index);

  const double memory_hz = 1e3 * device_attribute(cudaDevAttrMemoryClockRate, index);
  const double bus_bytes = device_attribute(cudaDevAttrGlobalMemoryBusWidth, index) / 8.0;
  info.peak_bytes_per_second = 2 * memory_hz * bus_bytes;  // double data rate
  const Width width = width_of(info.major, info.minor);
  const double clocks = info.clock_hz * info.multiprocessors;
  info.peak_f32_multiply_adds = width.f32 * clocks;
  info.peak_half_multiply_adds = width.half * clocks;
  info.peak_tf32_multiply_adds = width.half / 2 * clocks;
  return info;
}

bool usable(const DeviceInfo& info) {
  return info.major >= 8;
}

std::string too_old(const DeviceInfo& info) {
  return "The device " + info.name + " has compute capability " + std::to_string(info.major) + "." +
         std::to_string(info.minor) + "; TPN needs 8.0 (an A100 or GeForce RTX 30) or newer.";
}

/// How many devices CUDA shows, or why it shows none.
Result<int> count_devices() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return Failure{"There is no NVIDIA driver on this machine; choose the device cpu."};
  }
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) cudaGetLastError();  // it is told here
  if (status == cudaErrorInsufficientDriver) {
    return Failure{"The NVIDIA driver of this machine is for CUDA " + version_text(driver) +
                   ", and this build of TPN needs one for CUDA " + runtime_version() + " or newer."};
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    return Failure{
        "There is no NVIDIA GPU that CUDA can see on this machine (is CUDA_VISIBLE_DEVICES set?)."};
  }
  if (status != cudaSuccess) {
    return Failure{std::string("CUDA devices cannot be used: ") + cudaGetErrorName(status) + " (" +
                   cudaGetErrorString(status) + ")."};
  }
  return count;
}

}  // namespace

std::string driver_version() {
  int version = 0;
  check(cudaDriverGetVersion(&version), "asking for the driver's version");
  return version_text(version);
}

std::string runtime_version() {
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "asking for the runtime's version");
  return version_text(version);
}

Result<std::vector<DeviceInfo>> usable_devices() {
  const Result<int> count = count_devices();
  if (!count) return count.failure();
  std::vector<DeviceInfo> devices;
  std::string reason;
  for (int i = 0; i < *count; ++i) {
    DeviceInfo info = read(i);
    if (usable(info)) {
      devices.push_back(std::move(info));
    } else {
      reason = too_old(info);
    }
  }
  if (devices.empty()) return Failure{reason};
  return devices;
}

DeviceInfo device_info(int index) {
  const int count = count_devices().value_or_throw();
  if (index < 0 || index >= count) {
    throw Error("There is no CUDA device " + std::to_string(index) + ": this machine has " +
                std::to_string(count) + ", numbered from 0.");
  }
  DeviceInfo info = read(index);
  if (!usable(info)) throw Error(too_old(info));
  return info;
}

}  // namespace tpn::cuda
