#include "engine/video/frame_pattern.h"

#include <algorithm>
#include <regex>

#include <fnmatch.h>

#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

[[noreturn]] void refuse(const std::string& pattern, const std::string& why) {
  throw Error("The frames' name '" + pattern + "' " + why +
              "; something like img_%05d.jpg, img_{:05}.jpg or img_*.jpg is expected.");
}

constexpr std::size_t longest_name = 255;

/// A number's place in a pattern.
struct Place {
  std::size_t length = 0;
  std::size_t width = 0;
};

/// Of what a printf conversion for whole numbers at the beginning of `text` means; none for others.
std::optional<Place> parse_conversion(const std::string& text) {
  static const std::regex printf_form("^%(0([0-9]{1,2}))?[diu]");
  static const std::regex python_form("^\\{0?(:(0([0-9]{1,2}))?d?)?\\}");
  std::smatch match;
  const bool is_printf = std::regex_search(text, match, printf_form);
  if (!is_printf && !std::regex_search(text, match, python_form)) return {};
  const std::string digits = match[is_printf ? 2 : 3].str();
  return Place{static_cast<std::size_t>(match.length(0)), digits.empty() ? 0 : std::stoul(digits)};
}

}  // namespace

FramePattern::FramePattern(const std::string& pattern) : text_(pattern) {
  if (pattern.empty()) refuse(pattern, "is empty");
  if (pattern.size() > longest_name) refuse(pattern.substr(0, 40) + "...", "is too long");
  if (pattern.find('/') != std::string::npos) refuse(pattern, "has a folder in it");
  const bool is_python = pattern.find('%') == std::string::npos && pattern.find('{') != std::string::npos;
  for (std::size_t at = 0; at < pattern.size();) {
    std::string& part = has_number_ ? after_ : before_;
    const char c = pattern[at];
    const bool special = c == '%' || (is_python && (c == '{' || c == '}'));
    if (special && at + 1 < pattern.size() && pattern[at + 1] == c) {
      part += c;
      at += 2;
    } else if (special) {
      const std::optional<Place> place = parse_conversion(pattern.substr(at));
      if (!place)
        refuse(pattern, "has something at '" + pattern.substr(at) + "' that stands for no whole number");
      if (has_number_) refuse(pattern, "has two numbers");
      if (place->width > most_digits) refuse(pattern, "asks for a number of too many digits");
      has_number_ = true;
      width_ = place->width;
      at += place->length;
    } else {
      part += c;
      ++at;
    }
  }
  const bool is_shell = pattern.find_first_of("*?[") != std::string::npos;
  if (!has_number_ && !is_shell) refuse(pattern, "has no place for a number");
  if (has_number_ && pattern.find_first_of("*?") != std::string::npos) {
    refuse(pattern, "mixes a number with the shell's patterns");
  }
}

std::optional<std::string_view> FramePattern::match(std::string_view name) const {
  if (!has_number_) {
    if (fnmatch(text_.c_str(), std::string(name).c_str(), FNM_PERIOD) != 0) return {};
    return std::string_view();
  }
  if (name.size() <= before_.size() + after_.size() || !name.starts_with(before_) ||
      !name.ends_with(after_)) {
    return {};
  }
  const std::string_view digits = name.substr(before_.size(), name.size() - before_.size() - after_.size());
  const bool all_digits = std::ranges::all_of(digits, is_digit);
  const std::size_t least = std::max<std::size_t>(width_, 1);
  if (!all_digits || digits.size() < least || digits.size() > most_digits) return {};
  if (digits.size() > least && digits.front() == '0') return {};  // printf would not have put it there
  return digits;
}

std::string FramePattern::name(std::int64_t number) const {
  const std::string digits = std::to_string(number);
  const std::string zeros(width_ > digits.size() ? width_ - digits.size() : 0, '0');
  return before_ + zeros + digits + after_;
}

}  // namespace tpn
