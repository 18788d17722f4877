// The CUDA devices of this machine and what they can do.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/error.h"

namespace tpn::cuda {

struct DeviceInfo {
  int index = 0;          ///< CUDA's number of the device
  std::string name;       ///< for instance "NVIDIA H200"
  bool emulated = false;  ///< by the CPU, for tests: times mean nothing there
  int major = 0;          ///< compute capability
  int minor = 0;
  int multiprocessors = 0;
  std::size_t memory_bytes = 0;
  std::size_t l2_bytes = 0;
  std::size_t shared_bytes_per_block = 0;  ///< at most, dynamic
  double clock_hz = 0;                     ///< of the multiprocessors, boosted
  /// Estimates from clock, width and architecture, to state measured rates as a share of.
  double peak_bytes_per_second = 0;
  double peak_f32_multiply_adds = 0;   ///< per second, outside tensor cores
  double peak_tf32_multiply_adds = 0;  ///< per second, dense
  double peak_half_multiply_adds = 0;  ///< per second, f16 and bf16 with sums in f32, dense
};

/// All devices that TPN can use, or one sentence that says why there is none.
Result<std::vector<DeviceInfo>> usable_devices();

/// The device of that number; throws Error when it is not there or cannot be used.
DeviceInfo device_info(int index);

/// Of the driver and of the runtime, for instance "13.0".
std::string driver_version();
std::string runtime_version();

}  // namespace tpn::cuda
