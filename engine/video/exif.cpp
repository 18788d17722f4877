#include "engine/video/exif.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "engine/video/byte_order.h"

namespace tpn {
namespace {

constexpr std::array<Orientation, 8> orientations{{{false, false, false},
                                                   {false, true, false},
                                                   {false, true, true},
                                                   {false, false, true},
                                                   {true, false, false},
                                                   {true, true, false},
                                                   {true, true, true},
                                                   {true, false, true}}};

}  // namespace

Orientation exif_orientation(std::span<const std::byte> block) {
  constexpr std::string_view marker("Exif\0\0", 6);
  constexpr std::string_view little("II*\0", 4);
  constexpr std::string_view big("MM\0*", 4);
  if (has_letters(block, 0, marker)) block = block.subspan(marker.size());
  ByteOrder order = ByteOrder::little;
  if (has_letters(block, 0, big)) {
    order = ByteOrder::big;
  } else if (!has_letters(block, 0, little)) {
    return {};
  }
  const auto short_at = [&](std::size_t at) { return load<std::uint16_t>(block, at, order); };
  constexpr std::size_t header = 8;
  if (block.size() < header) return {};
  const std::size_t directory = load<std::uint32_t>(block, 4, order);
  if (directory > block.size() || block.size() - directory < 2) return {};

  constexpr std::size_t entry_bytes = 12;  // tag, type, count, value
  constexpr std::uint16_t orientation_tag = 0x0112;
  const std::size_t first = directory + 2;
  const std::size_t entries =
      std::min<std::size_t>(short_at(directory), (block.size() - first) / entry_bytes);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = first + i * entry_bytes;
    if (short_at(entry) != orientation_tag) continue;
    const std::uint16_t value = short_at(entry + 8);
    return value >= 1 && value <= orientations.size() ? orientations[value - 1U] : Orientation{};
  }
  return {};
}

}  // namespace tpn
