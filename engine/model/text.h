// Text from untrusted files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tpn {

enum class Surrogates { refuse, allow };

/// Whether the bytes are UTF-8 in shortest form up to U+10FFFF. Python writes lone surrogates too when it
/// pickles.
bool is_utf8(std::string_view text, Surrogates surrogates = Surrogates::refuse);

/// The text without the white space around it.
std::string_view trimmed(std::string_view text);

/// The whole number that the text is, and nothing but: decimal digits, perhaps behind a minus sign.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// For messages: the text in single quotes, at most 100 bytes of it, control characters and what is not UTF-8
/// replaced by '?', so that a hostile name can neither flood nor steer a terminal.
std::string in_quotes(std::string_view text);

/// The whole text with control characters and what is not UTF-8 replaced by '?'.
std::string printable(std::string_view text);

}  // namespace tpn
