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
  bool closed = false;  // to the device that runs kernels
};

inline constexpr int nan_byte = 0xff;
inline constexpr std::size_t page = 4096;  // bytes, what memory is guarded by

constexpr std::size_t round_up(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

/// Memory of NaN bytes; null when the device has not so much left. Behind it lies a page that cannot be
/// touched.
void* allocate(std::size_t size, MemoryKind kind, int device);

/// False: it was not given by allocate().
bool release(void* pointer, MemoryKind kind);

/// The allocation in which the address lies.
std::optional<Allocation> find_allocation(const void* address);

/// "device memory + 12 of 4096 bytes", or how far it is past the nearest allocation below it.
std::string describe_device_address(const void* address);

/// A kernel is about to run on the device. From now on memory of the others is closed, since there is no peer
/// access: the first touch of an allocation is a finding (under the address sanitizer its error, which ends
/// the program). Kernels run one at a time.
void enter_device(int device);

/// The host is about to copy to or from the memory at this address.
void open_for_copy(const void* address);

/// Whether a touch of the address may be repeated: memory that was closed to the running kernel is told and
/// open then.
bool handle_touch_of_other_device(const std::byte* address);

std::size_t free_device_memory(int device);
std::size_t total_device_memory();

}  // namespace tpn::cuda_on_cpu
