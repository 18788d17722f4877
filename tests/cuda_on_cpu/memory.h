// The memory of emulated devices, and pinned memory of the host.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace tpn::cuda_on_cpu {

enum class MemoryKind : unsigned char { device, pinned };

struct Allocation {
  std::byte* begin;
  std::size_t size;
  MemoryKind kind;
  int device;
};

inline constexpr int nan_byte = 0xff;

/// Memory of NaN bytes; null when the device has not so much left. Behind it lies a page that cannot be
/// touched.
void* allocate(std::size_t size, MemoryKind kind, int device);

/// False: it was not given by allocate().
bool release(void* pointer, MemoryKind kind);

/// The allocation in which the address lies.
std::optional<Allocation> find_allocation(const void* address);

/// "device memory + 12 of 4096 bytes", or how far it is past the nearest allocation below it.
std::string describe_device_address(const void* address);

/// While it lives a kernel runs on the device, and the memory of the others cannot be touched: there is no
/// peer access. The first touch of an allocation is a finding (under the address sanitizer its error, which
/// ends the program). One at a time.
class DeviceIsolation {
 public:
  explicit DeviceIsolation(int device);
  DeviceIsolation(const DeviceIsolation&) = delete;
  DeviceIsolation& operator=(const DeviceIsolation&) = delete;
  ~DeviceIsolation();

 private:
  int device_;
};

/// Whether the address is in memory that an isolation has closed: it is told and opened then.
bool handle_touch_of_other_device(const std::byte* address);

std::size_t free_device_memory(int device);
std::size_t total_device_memory();

}  // namespace tpn::cuda_on_cpu
