// The shared memory of the block that runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tpn::cuda_on_cpu {

struct SharedArray;

/// Room for the arrays of fixed size and for the dynamic memory of one block at a time. Between and around
/// them lie gaps; the address sanitizer knows these.
class SharedMemory {
 public:
  static constexpr std::size_t fixed_limit = std::size_t{48} * 1024;   // bytes
  static constexpr std::size_t total_limit = std::size_t{227} * 1024;  // bytes
  static constexpr std::size_t reserved_per_block = 1024U;  // bytes, what the machine takes for itself

  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Forgets all arrays; the dynamic memory has `dynamic_bytes` NaN bytes.
  void begin_block(std::size_t dynamic_bytes);

  /// The array's memory, NaN bytes at the first call in a block. Null: it is more than fixed_limit in all.
  void* fixed(const SharedArray& array);
  /// Aligned to 1024 bytes.
  [[nodiscard]] void* dynamic() const { return dynamic_; }

  /// Bytes of all arrays and the dynamic memory.
  [[nodiscard]] std::size_t used() const { return fixed_bytes_ + dynamic_bytes_; }

  /// Whether the address belongs to this object's memory, arrays or gaps.
  [[nodiscard]] bool contains(const void* address) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - memory_) < memory_bytes;
  }
  /// Whether all of the bytes are of one array or of the dynamic memory.
  [[nodiscard]] bool valid(const void* address, std::size_t size) const;

  /// What instructions call the address: an offset within the block's shared memory, below 2^18. The dynamic
  /// memory comes first, the arrays of fixed size behind it. The address is that of a valid byte.
  [[nodiscard]] std::uint32_t number(const void* address) const;
  /// The address with that number; there may be none of the block's memory.
  [[nodiscard]] std::byte* at(std::uint32_t number) const;

  /// "shared array `tile` + 12", or how far it is past the nearest array. The address is contained.
  [[nodiscard]] std::string describe(const void* address) const;

  [[nodiscard]] const std::byte* memory() const { return memory_; }
  static constexpr std::size_t gap_bytes = 4096;
  static constexpr std::size_t fixed_area_bytes = std::size_t{128} * 1024;  // with the gaps between arrays
  static constexpr std::size_t memory_bytes =
      gap_bytes + fixed_area_bytes + gap_bytes + total_limit + reserved_per_block + gap_bytes;

 private:
  [[nodiscard]] std::uint32_t first_fixed_number() const;

  struct Placed {
    const SharedArray* array;
    std::byte* begin;
  };

  std::byte* memory_;
  std::byte* fixed_;
  std::byte* dynamic_;
  std::vector<Placed> placed_;
  std::size_t fixed_end_ = 0;    // offset in the fixed area, with gaps
  std::size_t fixed_bytes_ = 0;  // without
  std::size_t dynamic_bytes_ = 0;
};

}  // namespace tpn::cuda_on_cpu
