// The devices that plans can run on: the one place where a backend is chosen.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/collectives.h"

namespace tpn {

enum class DeviceKind : std::uint8_t { cpu, cuda };

/// One device and how it is to be used.
struct DeviceOptions {
  DeviceKind kind = DeviceKind::cpu;
  int number = 0;         ///< CUDA's, of a GPU
  int threads = 0;        ///< of a CPU; 0: all
  bool libraries = true;  ///< of NVIDIA's, where they are faster than the project's own kernels
  /// Whether kernels that trials have found are kept from one process to the next.
  bool keep_selections = true;
  /// Whether results are the same bits with any number of threads, and no kernel is chosen by its time.
  bool deterministic = false;

  bool operator==(const DeviceOptions&) const = default;
};

/// The fastest that this build and machine have.
DeviceKind fastest_device();

/// "auto" (the fastest), "cpu", "cuda", or "cuda:N" with a GPU's number. Throws OptionError for any other
/// name.
DeviceOptions device_named(const std::string& name);

/// Throws Error when this build or machine does not have the device.
std::shared_ptr<const Backend> make_backend(const DeviceOptions& options);

/// Joins the devices of several processes, so that they exchange without the hosts; null, on all ranks alike,
/// where they cannot. Returns when all ranks have called it. Throws Error when it fails.
std::unique_ptr<Collectives> join_devices(const DeviceOptions& options, const Backend& device,
                                          const DeviceRank& rank);

}  // namespace tpn
