// Move-only owners of memory.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "kernels/error.h"

namespace tpn {

/// Host memory aligned to 64 bytes (a cache line, and the widest vector load); not initialised.
class HostBuffer {
 public:
  static constexpr std::size_t alignment = 64;

  HostBuffer() = default;
  /// Throws Error when the memory cannot be had.
  explicit HostBuffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    data_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{alignment}, std::nothrow)));
    if (!data_) throw Error("Out of memory: " + std::to_string(bytes) + " bytes could not be allocated.");
  }

  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* p) const noexcept { ::operator delete (p, std::align_val_t{alignment}); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t bytes_ = 0;
};

}  // namespace tpn
