#include "kernels/memory.h"

#include <new>
#include <string>

#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::align_val_t alignment{HostBuffer::alignment};

std::byte* allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  void* data = ::operator new(bytes, alignment, std::nothrow);
  if (data == nullptr) {
    throw OutOfMemory("Out of memory: " + std::to_string(bytes) + " bytes could not be allocated.");
  }
  return static_cast<std::byte*>(data);
}

void release(std::byte* data) noexcept {
  ::operator delete(data, alignment);
}

}  // namespace

HostBuffer::HostBuffer(std::size_t bytes) : Buffer(allocate(bytes), bytes, release) {}

}  // namespace tpn
