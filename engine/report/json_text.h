// Writes JSON: numbers that are not finite as null, any text as valid UTF-8.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tpn {

/// In double quotes. Bytes that are not UTF-8 become '?'. '<' is escaped, so that the text may also stand in
/// a script element of HTML.
std::string json_string(std::string_view text);

/// The shortest decimal form that is this double again; null for NaN and infinities, which JSON does not
/// have.
std::string json_number(double value);

/// The same for a float: without the digits that only a double has.
std::string json_float(float value);

/// An array of what `write` makes of each element.
template <class Range, class Write>
std::string json_array(const Range& values, const Write& write) {
  std::string text = "[";
  for (const auto& value : values) {
    if (text.size() > 1) text += ',';
    text += write(value);
  }
  return text + ']';
}

/// The members of an object in the order in which they are added.
class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::string_view text) { return add_json(key, json_string(text)); }
  JsonObject& add(std::string_view key, std::floating_point auto value) {
    return add_json(key, json_number(value));
  }
  template <std::integral Value>
  JsonObject& add(std::string_view key, Value value) {
    if constexpr (std::same_as<Value, bool>) {
      return add_json(key, value ? "true" : "false");
    } else {
      return add_json(key, std::to_string(value));
    }
  }
  /// A member whose value is JSON already.
  JsonObject& add_json(std::string_view key, std::string_view value);

  [[nodiscard]] std::string text() const { return '{' + members_ + '}'; }

 private:
  std::string members_;
};

}  // namespace tpn
