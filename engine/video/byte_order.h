// Numbers in the bytes of files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tpn {

enum class ByteOrder : std::uint8_t { little, big };

/// The unsigned number at `at`; all of its bytes must be there.
template <class Number>
Number load(std::span<const std::byte> bytes, std::size_t at, ByteOrder order) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    const std::size_t place = order == ByteOrder::big ? i : sizeof(Number) - 1 - i;
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + place]);
  }
  return static_cast<Number>(value);
}

}  // namespace tpn
