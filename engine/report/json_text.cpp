#include "engine/report/json_text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "engine/model/text.h"

namespace tpn {

std::string json_string(std::string_view text) {
  if (!is_utf8(text)) return json_string(printable(text));
  constexpr std::string_view hexadecimal = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (quoted += '\\') += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (byte < 0x20 || c == '<') {
      ((quoted += "\\u00") += hexadecimal[byte >> 4U]) += hexadecimal[byte & 15U];
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string json_float(float value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  // Readers of JSON make a double of it first, which has to be this float again.
  double read = 0;
  std::from_chars(text.data(), end, read);
  if (static_cast<float>(read) != value) return json_number(static_cast<double>(value));
  return {text.data(), end};
}

JsonObject& JsonObject::add_json(std::string_view key, std::string_view value) {
  if (!members_.empty()) members_ += ',';
  ((members_ += json_string(key)) += ':') += value;
  return *this;
}

}  // namespace tpn
