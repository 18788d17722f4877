#include "engine/model/text.h"

#include <cstddef>
#include <system_error>

namespace tpn {
namespace {

/// Bytes of the character that `text` (not empty) starts with; 0 when it is not one.
std::size_t character_length(std::string_view text, Surrogates surrogates) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<std::uint8_t>(text[i]) & 0xc0) != 0x80) return 0;
  }
  const auto second = static_cast<std::uint8_t>(text[1]);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool beyond = lead == 0xf4 && second > 0x8f;
  const bool surrogate = lead == 0xed && second > 0x9f && surrogates == Surrogates::refuse;
  return overlong || beyond || surrogate ? 0 : length;
}

/// At most `limit` bytes; `complete` becomes false when there is more.
std::string replace_unprintable(std::string_view text, std::size_t limit, bool& complete) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = character_length(text, Surrogates::refuse);
    const std::size_t taken = length == 0 ? 1 : length;
    if (result.size() + taken > limit) {
      complete = false;
      return result;
    }
    const auto lead = static_cast<std::uint8_t>(text[0]);
    const bool c1_control = lead == 0xc2 && length == 2 && static_cast<std::uint8_t>(text[1]) < 0xa0;
    const bool is_printable = length != 0 && lead >= 0x20 && lead != 0x7f && !c1_control;
    result += is_printable ? text.substr(0, taken) : std::string_view("?");
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace

bool is_utf8(std::string_view text, Surrogates surrogates) {
  while (!text.empty()) {
    const std::size_t length = character_length(text, surrogates);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t limit = 100;
  bool complete = true;
  const std::string shown = replace_unprintable(text, limit, complete);
  return "'" + shown + (complete ? "'" : "...'");
}

std::string printable(std::string_view text) {
  bool complete = true;
  return replace_unprintable(text, std::string_view::npos, complete);
}

}  // namespace tpn
