// The devices that plans can run on: the one place where a backend is chosen.
#pragma once

#include <memory>
#include <vector>

#include "engine/recognize/tpn.h"
#include "kernels/backend.h"

namespace tpn {

/// One device and how it is to be used.
struct DeviceOptions {
  Device device = Device::cpu;  ///< not automatic
  int number = 0;               ///< CUDA's, of a GPU
  int threads = 0;              ///< of a CPU; 0: all
  Libraries libraries = Libraries::automatic;

  bool operator==(const DeviceOptions&) const = default;
};

/// The devices that a recogniser works with, one or more. Throws Error for a number that is negative or given
/// twice, and for several devices where there can be only one.
std::vector<DeviceOptions> choose_devices(const RecognizerOptions& options);

/// Throws Error when this build or machine does not have the device.
std::shared_ptr<const Backend> make_backend(const DeviceOptions& options);

}  // namespace tpn
