#include "tests/cuda_on_cpu/shared_memory.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <sys/mman.h>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/device_functions.h"
#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/race_checker.h"
#include "tests/cuda_on_cpu/sanitizer.h"

namespace tpn::cuda_on_cpu {

namespace {

constexpr std::size_t gap_between_arrays = 64;  // bytes, at least

}  // namespace

SharedMemory::SharedMemory() {
  void* memory = mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(memory);
  fixed_ = memory_ + gap_bytes;
  dynamic_ = fixed_ + fixed_area_bytes + gap_bytes;
  sanitizer::poison(memory_, memory_bytes);
  race::watch_shared(memory_, memory_bytes);
}

SharedMemory::~SharedMemory() {
  sanitizer::unpoison(memory_, memory_bytes);
  munmap(memory_, memory_bytes);
}

void SharedMemory::begin_block(std::size_t dynamic_bytes) {
  race::forget_shared(fixed_, fixed_end_);
  race::forget_shared(dynamic_, dynamic_bytes_);
  sanitizer::poison(memory_, memory_bytes);
  sanitizer::unpoison(dynamic_, dynamic_bytes);
  std::memset(dynamic_, nan_byte, dynamic_bytes);
  race::declare_shared(dynamic_, dynamic_bytes);
  dynamic_bytes_ = dynamic_bytes;
  placed_.clear();
  fixed_end_ = 0;
  fixed_bytes_ = 0;
}

void* SharedMemory::fixed(const SharedArray& array) {
  for (const Placed& placed : placed_) {
    if (placed.array == &array) return placed.begin;
  }
  const std::size_t begin = round_up(fixed_end_, std::max<std::size_t>(array.alignment, 16));
  const std::size_t end = round_up(begin + array.bytes, 16) + gap_between_arrays;
  if (fixed_bytes_ + array.bytes > fixed_limit || end > fixed_area_bytes) return nullptr;
  std::byte* address = fixed_ + begin;
  sanitizer::unpoison(address, array.bytes);
  std::memset(address, nan_byte, array.bytes);
  race::declare_shared(address, array.bytes);
  placed_.push_back({&array, address});
  fixed_end_ = end;
  fixed_bytes_ += array.bytes;
  return address;
}

bool SharedMemory::valid(const void* address, std::size_t size) const {
  const auto* begin = static_cast<const std::byte*>(address);
  const auto lies_in = [&](const std::byte* area, std::size_t bytes) {
    return begin >= area && begin + size <= area + bytes;
  };
  if (lies_in(dynamic_, dynamic_bytes_)) return true;
  return std::any_of(placed_.begin(), placed_.end(),
                     [&](const Placed& placed) { return lies_in(placed.begin, placed.array->bytes); });
}

std::uint32_t SharedMemory::first_fixed_number() const {
  return static_cast<std::uint32_t>(reserved_per_block + round_up(dynamic_bytes_, 1024));
}

std::uint32_t SharedMemory::number(const void* address) const {
  const auto* byte = static_cast<const std::byte*>(address);
  return byte >= dynamic_
             ? static_cast<std::uint32_t>(reserved_per_block) + static_cast<std::uint32_t>(byte - dynamic_)
             : first_fixed_number() + static_cast<std::uint32_t>(byte - fixed_);
}

std::byte* SharedMemory::at(std::uint32_t number) const {
  const std::uint32_t first_fixed = first_fixed_number();
  if (number >= first_fixed) return fixed_ + (number - first_fixed);
  return dynamic_ + number - reserved_per_block;
}

std::string SharedMemory::describe(const void* address) const {
  const auto* byte = static_cast<const std::byte*>(address);
  // The array with the greatest start at or below the address.
  const std::byte* begin = nullptr;
  std::size_t bytes = 0;
  std::string name = "shared memory";
  for (const Placed& placed : placed_) {
    if (placed.begin > byte || (begin != nullptr && placed.begin < begin)) continue;
    begin = placed.begin;
    bytes = placed.array->bytes;
    name = "shared array `" + std::string(placed.array->name) + "`";
  }
  if (byte >= dynamic_) {
    begin = dynamic_;
    bytes = dynamic_bytes_;
    name = "dynamic shared memory";
  }
  if (begin == nullptr) return "before all shared memory";
  const auto offset = static_cast<std::size_t>(byte - begin);
  if (offset < bytes) return name + " + " + std::to_string(offset);
  return std::to_string(offset - bytes) + " bytes past the end of " + name + " (" + std::to_string(bytes) +
         " bytes)";
}

void* shared_array(const SharedArray& array) {
  BlockRunner& runner = *BlockRunner::current();
  void* memory = runner.shared().fixed(array);
  if (memory == nullptr || runner.shared().used() > runner.launch().shared_limit) {
    runner.report(FindingKind::shared_memory_limit,
                  "with the array `" + std::string(array.name) + "` of " + std::to_string(array.bytes) +
                      " bytes the block has more shared memory than " +
                      std::to_string(runner.launch().shared_limit) + " bytes, or more than " +
                      std::to_string(SharedMemory::fixed_limit) + " in arrays of fixed size");
    runner.abort();
  }
  return memory;
}

std::uint32_t shared_address(const void* shared) {
  BlockRunner& runner = *BlockRunner::current();
  if (!runner.shared().valid(shared, 1)) {
    runner.report(FindingKind::shared_out_of_bounds,
                  "takes the shared address of what is not in its block's shared memory");
    runner.abort();
  }
  return runner.shared().number(shared);
}

void* dynamic_shared() {
  return BlockRunner::current()->shared().dynamic();
}

}  // namespace tpn::cuda_on_cpu
