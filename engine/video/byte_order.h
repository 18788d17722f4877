// Numbers and letters in the bytes of files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

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

/// Whether these letters are at `at`.
inline bool has_letters(std::span<const std::byte> bytes, std::size_t at, std::string_view letters) {
  if (bytes.size() < at || bytes.size() - at < letters.size()) return false;
  return std::equal(letters.begin(), letters.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char letter, std::byte byte) { return byte == static_cast<std::byte>(letter); });
}

}  // namespace tpn
