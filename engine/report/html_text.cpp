#include "engine/report/html_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::string_view dash = "–";

std::string number(double value, std::chars_format format, int digits) {
  if (!std::isfinite(value)) return std::string(dash);
  std::array<char, 400> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format, digits).ptr;
  return {text.data(), end};
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      three = three << 8U | (i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? digits[three >> (18 - 6 * k) & 63U] : '=';
    }
  }
  return text;
}

bool begins_with(std::span<const std::byte> bytes, std::initializer_list<unsigned> start) {
  if (bytes.size() < start.size()) return false;
  std::size_t i = 0;
  for (const unsigned byte : start) {
    if (std::to_integer<unsigned>(bytes[i++]) != byte) return false;
  }
  return true;
}

}  // namespace

std::string html(std::string_view text) {
  if (!is_utf8(text)) return html(printable(text));
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string fixed(double value, int digits) {
  return number(value, std::chars_format::fixed, digits);
}

std::string significant(double value) {
  std::string text = number(value, std::chars_format::general, 4);
  const std::size_t exponent = text.find('e');
  // "2.5e-05": the exponent's zero and plus say nothing.
  if (exponent == std::string::npos) return text;
  if (text[exponent + 1] == '+') text.erase(exponent + 1, 1);
  const std::size_t digits = text.find_first_not_of('-', exponent + 1);
  if (text[digits] == '0') text.erase(digits, 1);
  return text;
}

std::string percent(double share) {
  return std::isfinite(share) ? fixed(100 * share, 1) + "\u00a0%" : std::string(dash);
}

std::string image_source(std::span<const std::byte> file, const std::string& name) {
  const bool png = begins_with(file, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
  if (!png && !begins_with(file, {0xff, 0xd8, 0xff})) {
    throw Error("The thumbnail of " + name + " is neither a PNG nor a JPEG file.");
  }
  return std::string("data:image/") + (png ? "png" : "jpeg") + ";base64," + base64(file);
}

}  // namespace tpn
