// Little-endian integers in untrusted bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tpn {

/// The unsigned integer at `offset`; the caller has checked that it lies inside.
template <class Unsigned>
Unsigned little_endian(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(Unsigned); i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[offset + i]);
  }
  return static_cast<Unsigned>(value);
}

}  // namespace tpn
