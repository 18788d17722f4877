// Bytes of files larger than memory, gone through in pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace tpn {

inline constexpr std::size_t piece_bytes = std::size_t{1} << 20;

/// Calls body(piece) for one piece after the other, the last perhaps shorter.
template <class Body>
void for_each_piece(std::span<const std::byte> bytes, const Body& body) {
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(piece_bytes, bytes.size()));
    body(piece);
    bytes = bytes.subspan(piece.size());
  }
}

}  // namespace tpn
