// Move-only owners of memory.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace tpn {

/// A block of memory of the host or of a device; not initialised.
class Buffer {
 public:
  using Release = void (*)(std::byte* data) noexcept;

  Buffer() = default;
  /// Takes `data` over; `release` gives it back.
  Buffer(std::byte* data, std::size_t bytes, Release release) : data_(data, release), bytes_(bytes) {}

  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte, Release> data_{nullptr, [](std::byte*) noexcept {}};
  std::size_t bytes_ = 0;
};
static_assert(std::is_nothrow_move_constructible_v<Buffer>);

/// Host memory aligned to 64 bytes (a cache line, and the widest vector load).
class HostBuffer : public Buffer {
 public:
  static constexpr std::size_t alignment = 64;

  HostBuffer() = default;
  /// Throws OutOfMemory when the memory cannot be had.
  explicit HostBuffer(std::size_t bytes);
};

}  // namespace tpn
