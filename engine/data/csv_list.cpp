#include "engine/data/csv_list.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::string_view delimiters = ",;\t";

/// Where in a line what stands.
struct Columns {
  std::optional<std::size_t> path;
  std::optional<std::size_t> label;
  std::optional<std::size_t> frames;
  std::optional<std::size_t> start;
  std::optional<std::size_t> end;
};

constexpr std::array<std::string_view, 14> path_names{
    "path",      "file_path", "file",     "filename",   "clip_path", "video_path", "folder",
    "directory", "video",     "video_id", "youtube_id", "vid",       "clip_name",  "id"};
constexpr std::array<std::string_view, 11> label_names{"label",    "label_name", "class",      "class_name",
                                                       "category", "action",     "template",   "label_index",
                                                       "label_id", "class_id",   "class_index"};
constexpr std::array<std::string_view, 4> frames_names{"num_frames", "total_frames", "frames", "n_frames"};
constexpr std::array<std::string_view, 1> start_names{"time_start"};
constexpr std::array<std::string_view, 1> end_names{"time_end"};

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// The column that has the first of these names that any has.
std::optional<std::size_t> find_column(const std::vector<std::string>& heading,
                                       std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    const auto found = std::ranges::find(heading, name);
    if (found != heading.end()) return static_cast<std::size_t>(found - heading.begin());
  }
  return std::nullopt;
}

/// The columns that a heading names; none where the fields are no heading.
std::optional<Columns> heading_columns(std::vector<std::string> fields, const std::string& name) {
  for (std::string& field : fields) field = lower_case(std::move(field));
  Columns columns;
  columns.path = find_column(fields, path_names);
  columns.label = find_column(fields, label_names);
  columns.frames = find_column(fields, frames_names);
  columns.start = find_column(fields, start_names);
  columns.end = find_column(fields, end_names);
  if (columns.path && columns.label) return columns;
  if (!columns.start && !columns.frames) return std::nullopt;  // a path or class may be called so
  throw Error(name + " has a heading without a column for the " + (columns.path ? "label" : "path") +
              "; its columns are " + in_quotes([&] {
                std::string text;
                for (const std::string& field : fields) text += (text.empty() ? "" : ", ") + field;
                return text;
              }()) +
              ".");
}

/// A list without heading: PATH,LABEL or FOLDER,FRAMES,LABEL.
std::optional<Columns> usual_columns(const std::vector<std::string>& fields) {
  Columns columns;
  columns.path = 0;
  columns.label = fields.size() - 1;
  if (fields.size() == 2) return columns;
  if (fields.size() != 3 || !parse_integer(fields[1])) return std::nullopt;
  columns.frames = 1;
  return columns;
}

/// A time in seconds as six digits, as the names of Kinetics' clips have it.
std::optional<std::string> six_digits(const std::string& text) {
  const auto seconds = parse_number<double>(text);
  if (!seconds || !(*seconds >= 0 && *seconds < 1e6)) return std::nullopt;
  const std::string digits = std::to_string(static_cast<std::int64_t>(*seconds));
  return std::string(6 - digits.size(), '0') + digits;
}

/// The entry of a line, or what is wrong with it: a clause.
Result<ListEntry> entry_of(const std::vector<std::string>& fields, const Columns& columns) {
  const auto field = [&](std::size_t column) { return column < fields.size() ? fields[column] : ""; };
  ListEntry entry;
  entry.path = field(*columns.path);
  entry.label = field(*columns.label);
  if (entry.path.empty()) return Failure{"it names no file"};
  if (entry.label.empty()) return Failure{"it has no label"};
  if (columns.frames) {
    const std::string frames = field(*columns.frames);
    const std::optional<std::int64_t> number = parse_integer(frames);
    if (!number || *number < 1) return Failure{"its number of frames is " + in_quotes(frames)};
    entry.frames = *number;
  }
  if (columns.start && columns.end) {
    const std::optional<std::string> start = six_digits(field(*columns.start));
    const std::optional<std::string> end = six_digits(field(*columns.end));
    if (!start || !end) {
      return Failure{"its times are " + in_quotes(field(*columns.start)) + " and " +
                     in_quotes(field(*columns.end))};
    }
    entry.path += "_" + *start + "_" + *end;
  }
  return entry;
}

}  // namespace

std::optional<std::vector<std::string>> split_fields(std::string_view line, char delimiter) {
  std::vector<std::string> fields;
  for (;;) {
    std::string field;
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin != std::string_view::npos && line[begin] == '"') {
      line.remove_prefix(begin + 1);
      for (;;) {
        const std::size_t quote = line.find('"');
        if (quote == std::string_view::npos) return std::nullopt;
        field += line.substr(0, quote);
        line.remove_prefix(quote + 1);
        if (!line.starts_with('"')) break;
        field += '"';
        line.remove_prefix(1);
      }
    }
    const std::size_t end = line.find(delimiter);
    field += trimmed(line.substr(0, end));
    fields.push_back(std::move(field));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

std::optional<char> delimiter_of(const std::string& line) {
  const std::size_t found = line.find_first_of(delimiters);
  if (found == std::string::npos) return std::nullopt;
  const std::size_t blank = line.find_last_of(" \t");
  if (blank == std::string::npos || !parse_integer(line.substr(blank + 1))) return line[found];
  if (line[blank] == '\t') return '\t';
  // "ab, 300, 7", or "a, b.mp4 7", whose comma belongs to the path.
  const std::size_t before = line.find_last_not_of(' ', blank);
  const bool is_delimiter =
      before != std::string::npos && delimiters.find(line[before]) != std::string_view::npos;
  return is_delimiter ? std::optional(line[before]) : std::nullopt;
}

ParsedList parse_csv_list(const std::vector<std::string>& lines, char delimiter, const std::string& name) {
  ParsedList list;
  std::optional<Columns> heading;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string origin = name + ":" + std::to_string(i + 1);
    const auto refuse = [&](const std::string& why) { list.refuse(origin, why); };
    if (trimmed(lines[i]).empty()) {
      refuse("the line is empty");
      continue;
    }
    const auto fields = split_fields(lines[i], delimiter);
    if (!fields) {
      refuse("a quote is not closed in " + in_quotes(lines[i]));
      continue;
    }
    if (i == 0) {
      heading = heading_columns(*fields, name);
      if (heading) continue;
    }
    const std::optional<Columns> columns = heading ? heading : usual_columns(*fields);
    if (!columns) {
      refuse("a path and a label, or a folder, its number of frames and a label are expected, not " +
             in_quotes(lines[i]));
      continue;
    }
    list.add(origin, entry_of(*fields, *columns));
  }
  return list;
}

}  // namespace tpn
