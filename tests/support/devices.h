// Devices that a test may offer as outputs. A program with a bug that replaces what it should write to would,
// run by root, replace the machine's own.
#pragma once

#include <filesystem>
#include <string>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/support/temporary_directory.h"

namespace tpn::test {

/// For root a device in the folder, for others the machine's; empty where root may not make one.
inline std::string device(const TemporaryDirectory& folder, const std::string& name, unsigned minor) {
  constexpr unsigned memory_devices = 1;
  if (::geteuid() != 0) return "/dev/" + name;
  std::string path = folder / name;
  if (::mknod(path.c_str(), S_IFCHR | 0600U, makedev(memory_devices, minor)) != 0) return {};
  return ::access(path.c_str(), W_OK) == 0 ? path : std::string();
}

inline std::string null_device(const TemporaryDirectory& folder) {
  return device(folder, "null", 3);
}

/// Always without space.
inline std::string full_device(const TemporaryDirectory& folder) {
  return device(folder, "full", 7);
}

/// A link like /dev/stdout.
inline std::string standard_output_link(const TemporaryDirectory& folder) {
  std::string path = folder / "stdout";
  std::filesystem::create_symlink("/proc/self/fd/1", path);
  return path;
}

}  // namespace tpn::test
