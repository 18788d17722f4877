#include "engine/report/crc32c.h"

#include <array>

namespace tpn {
namespace {

constexpr std::uint32_t reflected_polynomial = 0x82f63b78;

/// The remainder of each byte.
constexpr std::array<std::uint32_t, 256> remainders = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1U) ^ ((remainder & 1U) != 0 ? reflected_polynomial : 0U);
    }
    table[byte] = remainder;
  }
  return table;
}();

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t remainder = ~0U;
  for (const char c : bytes) {
    remainder = (remainder >> 8U) ^ remainders[(remainder ^ static_cast<unsigned char>(c)) & 0xffU];
  }
  return ~remainder;
}

}  // namespace tpn
