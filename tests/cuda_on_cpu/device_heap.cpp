#include "tests/cuda_on_cpu/device_heap.h"

#include <cstdlib>
#include <new>

#include <sys/mman.h>

#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/sanitizer.h"

namespace tpn::cuda_on_cpu {

namespace {

constexpr std::size_t alignment = 256;

}  // namespace

std::byte* heap_begin() {
  static std::byte* const begin = [] {
    void* memory = mmap(nullptr, heap_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(memory);
  }();
  return begin;
}

// Called under the lock of the table of allocations.
std::byte* take_pages(std::size_t size) {
  if constexpr (sanitizer::checks_addresses) {
    void* memory = nullptr;
    // The end is the request's own, so that the sanitizer knows it.
    return posix_memalign(&memory, alignment, size) == 0 ? static_cast<std::byte*>(memory) : nullptr;
  }
  static std::size_t used = 0;
  const std::size_t bytes = round_up(size, page);
  if (bytes > heap_bytes - used || heap_bytes - used - bytes < page) return nullptr;
  std::byte* memory = heap_begin() + used;
  if (mprotect(memory, bytes, PROT_READ | PROT_WRITE) != 0) return nullptr;
  used += bytes + page;
  return memory;
}

void give_back_pages(std::byte* memory, std::size_t size) {
  if constexpr (sanitizer::checks_addresses) {
    std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc): of posix_memalign
    return;
  }
  const std::size_t bytes = round_up(size, page);
  madvise(memory, bytes, MADV_DONTNEED);
  mprotect(memory, bytes, PROT_NONE);
}

void close_memory(std::byte* memory, std::size_t size) {
  if constexpr (sanitizer::checks_addresses) {
    sanitizer::poison(memory, size);
  } else {
    mprotect(memory, round_up(size, page), PROT_NONE);
  }
}

void open_memory(std::byte* memory, std::size_t size) {
  if constexpr (sanitizer::checks_addresses) {
    sanitizer::unpoison(memory, size);
  } else {
    mprotect(memory, round_up(size, page), PROT_READ | PROT_WRITE);
  }
}

}  // namespace tpn::cuda_on_cpu
