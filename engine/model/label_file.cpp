#include "engine/model/label_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/model/json_reader.h"
#include "engine/model/text.h"
#include "engine/model/text_lines.h"
#include "kernels/error.h"

namespace tpn {
namespace {

using Lines = std::vector<std::string>;

constexpr std::string_view separators = " \t,;:";  // between a class's number and its name

std::optional<std::size_t> parse_number(std::string_view digits) {
  const std::optional<std::int64_t> number = parse_integer(digits);
  return number && *number >= 0 ? std::optional(static_cast<std::size_t>(*number)) : std::nullopt;
}

/// "7,playing chess" as 7 and the name, which may stand in double quotes.
struct Numbered {
  std::size_t number;
  std::string name;
};

std::optional<Numbered> parse_numbered(std::string_view line) {
  const std::size_t end = line.find_first_of(separators);
  const auto number = parse_number(line.substr(0, end));
  if (!number || end == std::string_view::npos) return std::nullopt;
  std::string_view name = trimmed(line.substr(end + 1));
  if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  return name.empty() ? std::nullopt : std::optional(Numbered{*number, std::string(name)});
}

/// Whether the line is the heading of a table of numbers and names.
bool is_heading(std::string_view line) {
  constexpr std::array<std::string_view, 4> words{"id", "index", "class_id", "label_id"};
  const std::string_view first = line.substr(0, line.find_first_of(separators));
  return first.size() < line.size() && std::find(words.begin(), words.end(), first) != words.end();
}

/// By number, from 0 or from 1.
Lines in_order(std::vector<Numbered> entries, const std::string& file) {
  std::ranges::sort(entries, {}, &Numbered::number);
  const std::size_t first = entries.front().number == 0 ? 0 : 1;
  Lines names;
  for (Numbered& entry : entries) {
    const std::size_t expected = first + names.size();
    if (entry.number != expected) {
      throw Error(file + " numbers its labels, but has " + std::to_string(entry.number) + " where " +
                  std::to_string(expected) + " is expected.");
    }
    names.push_back(std::move(entry.name));
  }
  return names;
}

/// The names, where every line but a heading begins with a number.
std::optional<Lines> parse_table(const Lines& lines, const std::string& file) {
  std::vector<Numbered> entries;
  for (std::size_t i = is_heading(lines.front()) ? 1 : 0; i < lines.size(); ++i) {
    auto entry = parse_numbered(lines[i]);
    if (!entry) return std::nullopt;
    entries.push_back(*std::move(entry));
  }
  if (entries.empty()) return std::nullopt;
  return in_order(std::move(entries), file);
}

/// A class's number as JSON has it: 7 or "7".
std::optional<std::size_t> number_of(const nlohmann::json& value) {
  if (value.is_string()) return parse_number(value.get_ref<const std::string&>());
  return value.is_number_unsigned() ? std::optional(value.get<std::size_t>()) : std::nullopt;
}

Lines parse_json_labels(const std::string& text, const std::string& file) {
  const auto document = parse_json(text);
  if (!document) throw Error(file + " cannot be used: " + document.failure().message + ".");
  std::vector<Numbered> entries;
  const auto refuse = [&] {
    return Error(file + " is JSON, but neither a list of names nor an object of names and their numbers.");
  };
  if (document->is_array()) {
    for (const nlohmann::json& name : *document) {
      if (!name.is_string()) throw refuse();
      entries.push_back({entries.size(), name.get<std::string>()});
    }
  } else {
    for (const auto& [key, value] : document->items()) {  // {"name": 7}, or {"7": "name"}
      if (const auto number = number_of(value)) {
        entries.push_back({*number, key});
      } else if (const auto key_number = parse_number(key); key_number && value.is_string()) {
        entries.push_back({*key_number, value.get<std::string>()});
      } else {
        throw refuse();
      }
    }
  }
  if (entries.empty()) throw refuse();
  for (Numbered& entry : entries) entry.name = trimmed(entry.name);
  return in_order(std::move(entries), file);
}

void require_names(const Lines& names, const std::string& file) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) throw Error(file + " has no name for label " + std::to_string(i + 1) + ".");
    const auto [place, added] = places.try_emplace(names[i], i);
    if (added) continue;
    throw Error(file + " has the label " + in_quotes(names[i]) + " twice, as number " +
                std::to_string(place->second + 1) + " and as number " + std::to_string(i + 1) + ".");
  }
}

Lines parse_lines(Lines lines, const std::string& file) {
  for (std::string& line : lines) line = trimmed(line);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) throw Error(file + ", line " + std::to_string(i + 1) + " has no label.");
  }
  auto table = parse_table(lines, file);
  return table ? *std::move(table) : std::move(lines);
}

}  // namespace

std::vector<std::string> parse_label_file(std::string_view text, const std::string& file) {
  Lines lines = text_lines(text, file);
  while (!lines.empty() && trimmed(lines.back()).empty()) lines.pop_back();
  if (lines.empty()) throw Error(file + " has no labels; one label a line is expected.");
  const std::string_view first = trimmed(lines.front());
  Lines names;
  if (first.starts_with('{') || first.starts_with('[')) {
    std::string json;
    for (const std::string& line : lines) json += line + '\n';
    names = parse_json_labels(json, file);
  } else {
    names = parse_lines(std::move(lines), file);
  }
  require_names(names, file);
  return names;
}

}  // namespace tpn
