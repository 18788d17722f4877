#include "engine/model/json_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace tpn {
namespace {

using nlohmann::json;

constexpr std::size_t max_json_depth = 16;

/// A bounded rendering of a value for messages.
std::string describe(const json& value) {
  constexpr std::size_t longest = 60;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > longest) text = text.substr(0, longest) + "...";
  return text;
}

/// Accepts or refuses a JSON text without building it: nesting, duplicate keys, syntax.
class StructureCheck final : public nlohmann::json_sax<json> {
 public:
  [[nodiscard]] const std::string& failure() const { return failure_; }

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*elements*/) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return open(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    failure_ = "the key " + describe(name) + " occurs twice in one object";
    return false;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    failure_ = "not valid JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  bool open() {
    if (keys_.size() == max_json_depth) {
      failure_ = "nested deeper than " + std::to_string(max_json_depth) + " levels";
      return false;
    }
    keys_.emplace_back();
    return true;
  }
  bool close() {
    keys_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> keys_;  // of the objects that are open; an array has an empty set
  std::string failure_;
};

}  // namespace

Result<json> parse_json(std::string_view text, std::size_t most_bytes) {
  if (text.size() > most_bytes) {
    return Failure{"the JSON text has " + std::to_string(text.size()) + " bytes; at most " +
                   std::to_string(most_bytes) + " are accepted"};
  }
  StructureCheck check;
  if (!json::sax_parse(text, &check)) return Failure{"the JSON text is refused: " + check.failure()};
  return json::parse(text, nullptr, false);
}

void JsonField::fail(const std::string& expected) const {
  throw Error(own_name() + " must be " + expected + ", but is " + describe(*value_) + ".");
}

JsonField JsonField::at(const std::string& key) const {
  if (!value_->is_object()) fail("an object");
  const auto member = value_->find(key);
  if (member == value_->end()) throw Error(member_path(key) + " is missing.");
  return {*member, member_path(key)};
}

std::optional<JsonField> JsonField::find(const std::string& key) const {
  if (!value_->is_object()) fail("an object");
  const auto member = value_->find(key);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return JsonField(*member, member_path(key));
}

bool JsonField::has_null(const std::string& key) const {
  if (!value_->is_object()) fail("an object");
  const auto member = value_->find(key);
  return member != value_->end() && member->is_null();
}

void JsonField::allow_only(std::initializer_list<std::string_view> keys) const {
  if (!value_->is_object()) fail("an object");
  for (const auto& member : value_->items()) {
    if (std::find(keys.begin(), keys.end(), member.key()) != keys.end()) continue;
    std::string known;
    for (const std::string_view key : keys) known += (known.empty() ? "" : ", ") + std::string(key);
    throw Error(own_name() + " has an unknown field " + describe(member.key()) + "; known are " + known +
                ".");
  }
}

int JsonField::integer() const {
  if (!value_->is_number_integer()) fail("an integer");
  const bool fits = value_->is_number_unsigned()
                        ? value_->get<std::uint64_t>() <= std::numeric_limits<int>::max()
                        : value_->get<std::int64_t>() >= std::numeric_limits<int>::min();
  if (!fits) fail("an integer of 32 bits");
  return value_->get<int>();
}

double JsonField::number() const {
  if (!value_->is_number()) fail("a number");
  const auto number = value_->get<double>();
  if (!std::isfinite(number)) fail("a finite number");
  return number;
}

bool JsonField::boolean() const {
  if (!value_->is_boolean()) fail("true or false");
  return value_->get<bool>();
}

std::string JsonField::text() const {
  if (!value_->is_string()) fail("a string");
  return value_->get<std::string>();
}

std::vector<JsonField> JsonField::elements() const {
  if (!value_->is_array()) fail("a list");
  std::vector<JsonField> fields;
  fields.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i) {
    fields.emplace_back((*value_)[i], path_ + "[" + std::to_string(i) + "]");
  }
  return fields;
}

std::vector<int> JsonField::integers() const {
  std::vector<int> values;
  for (const JsonField& element : elements()) values.push_back(element.integer());
  return values;
}

std::vector<double> JsonField::numbers() const {
  std::vector<double> values;
  for (const JsonField& element : elements()) values.push_back(element.number());
  return values;
}

ops::Extent3 JsonField::extents() const {
  if (!value_->is_array() || value_->size() != 3) fail("a list of three integers (t, h, w)");
  ops::Extent3 extents{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double value = elements()[i].number();
    constexpr double limit = std::numeric_limits<int>::max();
    if (value != std::floor(value) || std::abs(value) > limit) fail("a list of three integers (t, h, w)");
    extents[i] = static_cast<std::int64_t>(value);
  }
  return extents;
}

}  // namespace tpn
