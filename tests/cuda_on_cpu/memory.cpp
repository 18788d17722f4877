#include "tests/cuda_on_cpu/memory.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include <sys/mman.h>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_heap.h"
#include "tests/cuda_on_cpu/devices.h"
#include "tests/cuda_on_cpu/host_guard.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace tpn::cuda_on_cpu {

namespace {

struct Table {
  std::mutex mutex;
  std::map<const std::byte*, Allocation> allocations;
  std::array<std::size_t, max_devices> used{};
  std::size_t total = std::size_t{16} << 30;
};

Table& table() {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): others free memory at exit
  static Table* const instance = new Table;
  return *instance;
}

void set_closed(Allocation& allocation, bool closed) {
  if (allocation.kind != MemoryKind::device || allocation.closed == closed) return;
  allocation.closed = closed;
  (closed ? close_memory : open_memory)(allocation.begin, allocation.size);
}

bool holds(const Allocation* allocation, const void* address) {
  return allocation != nullptr &&
         static_cast<const std::byte*>(address) < allocation->begin + allocation->size;
}

/// The allocation with the greatest start at or below the address.
template <class AnyTable>
auto at_or_below(AnyTable& all, const void* address) -> decltype(&all.allocations.begin()->second) {
  auto found = all.allocations.upper_bound(static_cast<const std::byte*>(address));
  return found == all.allocations.begin() ? nullptr : &std::prev(found)->second;
}

}  // namespace

void* allocate(std::size_t size, MemoryKind kind, int device) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  std::size_t& used = all.used[static_cast<std::size_t>(device)];
  if (kind == MemoryKind::device && (size > all.total || used > all.total - size)) return nullptr;
  std::byte* memory = take_pages(size);
  if (memory == nullptr) return nullptr;
  std::memset(memory, nan_byte, size);
  if (kind == MemoryKind::device) {
    used += size;
    race::declare_global(memory, size);
  }
  all.allocations.emplace(memory, Allocation{memory, size, kind, device});
  return memory;
}

bool release(void* pointer, MemoryKind kind) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const auto found = all.allocations.find(static_cast<const std::byte*>(pointer));
  if (found == all.allocations.end() || found->second.kind != kind) return false;
  set_closed(found->second, false);
  const Allocation allocation = found->second;
  all.allocations.erase(found);
  if (kind == MemoryKind::device) {
    all.used[static_cast<std::size_t>(allocation.device)] -= allocation.size;
    race::forget_global(allocation.begin, allocation.size);
  }
  give_back_pages(allocation.begin, allocation.size);
  return true;
}

std::optional<Allocation> find_allocation(const void* address) {
  const Table& all = table();
  const std::lock_guard lock(table().mutex);
  const Allocation* found = at_or_below(all, address);
  if (!holds(found, address)) return std::nullopt;
  return *found;
}

std::string describe_device_address(const void* address) {
  const Table& all = table();
  const std::lock_guard lock(table().mutex);
  const Allocation* found = at_or_below(all, address);
  if (found == nullptr) return "no device memory";
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - found->begin);
  const std::string name = "an allocation of " + std::to_string(found->size) + " bytes";
  if (offset < found->size) return "byte " + std::to_string(offset) + " of " + name;
  return std::to_string(offset - found->size) + " bytes past the end of " + name + ", or in freed memory";
}

// What stays closed from one kernel to the next costs nothing.
void enter_device(int device) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  install_fault_handler();
  for (auto& [begin, allocation] : all.allocations) set_closed(allocation, allocation.device != device);
}

void open_for_copy(const void* address) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  Allocation* const found = at_or_below(all, address);
  if (holds(found, address)) set_closed(*found, false);
}

void end_misaligned(const void* address, std::size_t size) {
  BlockRunner& runner = *BlockRunner::current();
  const bool is_shared = runner.shared().contains(address);
  runner.report(FindingKind::misaligned_access,
                "accesses " + std::to_string(size) + " bytes at once whose address is no multiple of that: " +
                    (is_shared ? runner.shared().describe(address) : describe_device_address(address)));
  runner.abort();
}

bool handle_touch_of_other_device(const std::byte* address) {
  BlockRunner* const runner = BlockRunner::current();
  int device = 0;
  {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    Allocation* const found = at_or_below(all, address);
    if (runner == nullptr || !holds(found, address)) return false;
    if (!found->closed) return true;  // another block that touched it at the same time has told
    set_closed(*found, false);
    device = found->device;
  }
  runner->report_of_block(FindingKind::other_device_access,
                          "runs on device " + std::to_string(runner->launch().device) + " and touched " +
                              describe_device_address(address) + " of device " + std::to_string(device));
  return true;
}

std::size_t total_device_memory() {
  const std::lock_guard lock(table().mutex);
  return table().total;
}

std::size_t free_device_memory(int device) {
  const std::lock_guard lock(table().mutex);
  const std::size_t used = table().used[static_cast<std::size_t>(device)];
  return table().total > used ? table().total - used : 0;
}

void set_device_memory(std::size_t bytes) {
  const std::lock_guard lock(table().mutex);
  table().total = bytes;
}

}  // namespace tpn::cuda_on_cpu
