// Typed, checked access to JSON that anyone may have written. Internal to files that parse JSON.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/model/config.h"
#include "kernels/error.h"

namespace tpn {

/// Parses one JSON text. Refused: text over `most_bytes`, nesting deeper than 16, duplicate keys, anything
/// after the value.
Result<nlohmann::json> parse_json(std::string_view text, std::size_t most_bytes = std::size_t{8} << 20);

/// A value inside a JSON document that knows its path, so that whatever is wrong with it can be named. Every
/// accessor throws Error saying what was expected there and what was found.
class JsonField {
 public:
  /// `value` must outlive the field; `path` stands for it in messages and is empty for the whole document.
  JsonField(const nlohmann::json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  /// A member of an object that must be there.
  [[nodiscard]] JsonField at(const std::string& key) const;
  /// A member of an object, if it is there and not null.
  [[nodiscard]] std::optional<JsonField> find(const std::string& key) const;
  /// True for a member that is there and null.
  [[nodiscard]] bool has_null(const std::string& key) const;
  /// Throws when the object has a member that is not among these: a misspelt field must not pass for an
  /// absent one.
  void allow_only(std::initializer_list<std::string_view> keys) const;

  [[nodiscard]] int integer() const;
  [[nodiscard]] double number() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::vector<int> integers() const;
  [[nodiscard]] std::vector<double> numbers() const;
  /// (t, h, w) as integers, or as numbers with integral values.
  [[nodiscard]] ops::Extent3 extents() const;
  [[nodiscard]] std::vector<JsonField> elements() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[noreturn]] void fail(const std::string& expected) const;
  /// The path of a member, or a name for the value itself.
  [[nodiscard]] std::string member_path(const std::string& key) const {
    return path_.empty() ? key : path_ + "." + key;
  }
  [[nodiscard]] std::string own_name() const { return path_.empty() ? "The JSON document" : path_; }

  const nlohmann::json* value_;
  std::string path_;
};

}  // namespace tpn
