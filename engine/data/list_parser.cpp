#include "engine/data/list_parser.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "engine/data/csv_list.h"
#include "engine/data/json_list.h"
#include "engine/model/text.h"
#include "engine/model/text_lines.h"
#include "kernels/error.h"

namespace tpn {
namespace {

/// What stands before the last blank of a line, and what behind it.
struct LastField {
  std::string_view rest;
  std::string_view field;
};

std::optional<LastField> split_last(std::string_view line) {
  const std::size_t blank = line.find_last_of(" \t");
  if (blank == std::string_view::npos) return std::nullopt;
  return LastField{trimmed(line.substr(0, blank)), line.substr(blank + 1)};
}

/// PATH LABEL or FOLDER FRAMES LABEL; or what is wrong with the line: a clause.
Result<ListEntry> entry_of(std::string_view line, const ListRules& rules) {
  const std::optional<LastField> label = split_last(line);
  if (!label) return Failure{"a path and a label are expected, not " + in_quotes(line)};
  ListEntry entry;
  entry.path = label->rest;
  entry.label = label->field;
  const std::optional<LastField> frames = split_last(label->rest);
  const std::optional<std::int64_t> number = frames ? parse_integer(frames->field) : std::nullopt;
  const bool has_frames = number && *number > 0;
  if (rules.raw_frames && !has_frames) {
    return Failure{"a folder, the number of its frames and a label are expected, not " + in_quotes(line)};
  }
  if (has_frames && (rules.raw_frames || rules.is_there(std::string(frames->rest)))) {
    entry.path = frames->rest;
    entry.frames = *number;
  }
  return entry;
}

ParsedList parse_lines(const std::vector<std::string>& lines, const std::string& name,
                       const ListRules& rules) {
  ParsedList list;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = trimmed(lines[i]);
    list.add(name + ":" + std::to_string(i + 1),
             line.empty() ? Failure{"the line is empty"} : entry_of(line, rules));
  }
  return list;
}

bool is_json(std::string_view text) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  text = trimmed(text.substr(0, 4096));
  return text.starts_with('[') || text.starts_with('{');
}

/// Class names have to be text; paths may be any bytes.
void refuse_labels_in_other_codes(ParsedList& list) {
  std::erase_if(list.entries, [&](const ListEntry& entry) {
    if (is_utf8(entry.label)) return false;
    list.faults.push_back(entry.origin + ": its label " + in_quotes(entry.label) +
                          " is not UTF-8 text; save the list as UTF-8.");
    return true;
  });
}

}  // namespace

ParsedList parse_list(std::string_view text, const std::string& name, const ListRules& rules) {
  std::vector<std::string> lines = text_lines(text, name, LineBytes::any);
  while (!lines.empty() && trimmed(lines.back()).empty()) lines.pop_back();
  if (lines.empty()) throw Error(name + " is empty; a path and a label a line are expected.");
  ParsedList list;
  if (is_json(text)) {
    std::string json;
    for (const std::string& line : lines) json += line + '\n';
    list = parse_json_list(json, name);
  } else if (const std::optional<char> delimiter = delimiter_of(lines.front())) {
    list = parse_csv_list(lines, *delimiter, name);
  } else {
    list = parse_lines(lines, name, rules);
  }
  refuse_labels_in_other_codes(list);
  if (list.entries.empty()) {
    throw Error(list.faults.empty() ? name + " has no entries."
                                    : name + " is no list of samples: " + list.faults.front());
  }
  return list;
}

}  // namespace tpn
