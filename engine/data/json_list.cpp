#include "engine/data/json_list.h"

#include <cstddef>
#include <optional>

#include <nlohmann/json.hpp>

#include "engine/model/json_reader.h"
#include "engine/model/text.h"
#include "engine/model/text_lines.h"
#include "kernels/error.h"

namespace tpn {
namespace {

/// A string, or a whole number as its digits.
std::optional<std::string> text_of(const nlohmann::json& value) {
  if (value.is_string()) return std::string(trimmed(value.get_ref<const std::string&>()));
  if (value.is_number_integer()) return value.dump();
  return std::nullopt;
}

std::string without_brackets(std::string text) {
  std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
  return text;
}

/// The entry of an object, or what is wrong with it: a clause.
Result<ListEntry> entry_of(const nlohmann::json& value) {
  if (!value.is_object()) return Failure{"it is no object with an id and a template"};
  const auto member = [&](const char* key) {
    const auto found = value.find(key);
    return found == value.end() ? std::nullopt : text_of(*found);
  };
  ListEntry entry;
  entry.path = member("id").value_or("");
  const std::optional<std::string> pattern = member("template");
  entry.label = pattern ? without_brackets(*pattern) : member("label").value_or("");
  if (entry.path.empty()) return Failure{"it has no id"};
  if (entry.label.empty()) return Failure{"it has neither a template nor a label"};
  return entry;
}

}  // namespace

ParsedList parse_json_list(std::string_view text, const std::string& name) {
  const Result<nlohmann::json> document = parse_json(text, most_text_bytes);
  if (!document) throw Error(name + " cannot be used: " + document.failure().message + ".");
  if (!document->is_array()) {
    throw Error(name + " is JSON, but no list of objects with an id and a template each.");
  }
  ParsedList list;
  for (std::size_t i = 0; i < document->size(); ++i) {
    list.add(name + ", entry " + std::to_string(i + 1), entry_of((*document)[i]));
  }
  return list;
}

}  // namespace tpn
