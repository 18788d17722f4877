// The machine and the build that timings were taken with.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace tpn::benchmarks {

struct Machine {
  std::string processor;             ///< as the system names it
  int processors = 0;                ///< that this process may use
  std::vector<std::string> vectors;  ///< vector instruction sets that matter here, as Linux names them
  std::string libraries;             ///< of the backend, with what they make of this machine
  std::string compiler;
  bool optimized = false;  ///< false: timings of this build mean nothing
  std::string version;     ///< of this product
};

Machine describe_machine(const Backend& backend);

/// Forgets the peak of resident memory so far; false where the system does not allow it. Freed memory is
/// given back to the system first.
bool reset_peak_memory();

/// The most memory, in bytes, that was resident since the process started or reset_peak_memory(); mapped
/// files count while their pages are resident.
std::optional<std::size_t> peak_memory();

}  // namespace tpn::benchmarks
