// Text from untrusted files.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace tpn {

enum class Surrogates { refuse, allow };

/// Whether the bytes are UTF-8 in shortest form up to U+10FFFF. Python writes lone surrogates too when it
/// pickles.
bool is_utf8(std::string_view text, Surrogates surrogates = Surrogates::refuse);

/// A decimal digit of ASCII, whatever the locale.
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The bytes as text, whatever they are.
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The text without the white space around it.
std::string_view trimmed(std::string_view text);

/// The number that the text is, and nothing but, as std::from_chars reads the type.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

/// The whole number that the text is, and nothing but: decimal digits, perhaps behind a minus sign.
inline std::optional<std::int64_t> parse_integer(std::string_view text) {
  return parse_number<std::int64_t>(text);
}

/// For messages: the text in single quotes, at most 100 bytes of it, control characters and what is not UTF-8
/// replaced by '?', so that a hostile name can neither flood nor steer a terminal.
std::string in_quotes(std::string_view text);

/// The whole text with control characters and what is not UTF-8 replaced by '?'.
std::string printable(std::string_view text);

}  // namespace tpn
