// A number that tells texts apart which nobody means to be mistaken: FNV-1a, 64 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tpn {

class Digest {
 public:
  Digest& add(std::string_view bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    return *this;
  }
  Digest& add(std::span<const std::byte> bytes) {
    return add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  /// A text and its end, so that "ab", "c" differs from "a", "bc".
  Digest& add_field(std::string_view text) { return add(text).add(std::string_view("\0", 1)); }
  Digest& add_field(std::int64_t number) { return add_field(std::to_string(number)); }

  [[nodiscard]] std::uint64_t value() const { return value_; }
  /// 16 hexadecimal digits.
  [[nodiscard]] std::string text() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4) text += digits[value_ >> shift & 15U];
    return text;
  }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace tpn
