#include "apps/number.h"

#include <charconv>
#include <sstream>
#include <string>

namespace tpn::app {
namespace {

template <class Number>
std::string text_of(Number number) {
  std::ostringstream text;
  text.precision(15);
  text << number;
  return text.str();
}

template <class Number>
CLI::Validator between(Number least, Number most, const std::string& kind) {
  const auto check = [least, most, kind](std::string& text) -> std::string {
    Number number{};
    const char* end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || parsed != end || !(number >= least && number <= most)) {
      return "must be a " + kind + " between " + text_of(least) + " and " + text_of(most) + ", but is '" +
             text + "'.";
    }
    text = text_of(number);  // 010 is ten, not eight
    return {};
  };
  return {check, ""};
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return between(least, most, "whole number");
}

CLI::Validator decimal_number(double least, double most) {
  return between(least, most, "number");
}

}  // namespace tpn::app
