#include "engine/data/sample_list.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/data/class_folders.h"
#include "engine/data/list_parser.h"
#include "engine/data/media_finder.h"
#include "engine/model/labels.h"
#include "engine/model/text.h"
#include "engine/model/text_lines.h"
#include "engine/video/media_names.h"
#include "kernels/error.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;

/// Names of classes where they are kept beside a list, as Something-Something does.
std::vector<std::string> labels_beside(const fs::path& list) {
  if (ending_of(list.filename().string()) != "json") return {};
  for (const char* name : {"labels.json", "something-something-v2-labels.json"}) {
    const fs::path labels = list.parent_path() / name;
    std::error_code ignored;
    if (fs::is_regular_file(labels, ignored)) return read_labels(labels);
  }
  return {};
}

/// Whether labels are numbers: most of them are, so that a slip in one does not make names of all.
bool has_numbers(const std::vector<ListEntry>& entries, const std::vector<std::string>& classes) {
  const auto numbers = std::ranges::count_if(
      entries, [](const ListEntry& entry) { return parse_integer(entry.label).has_value(); });
  const auto is_number = [](const std::string& name) { return parse_integer(name).has_value(); };
  return 2 * numbers > std::ssize(entries) && std::ranges::none_of(classes, is_number);
}

std::vector<std::string> sorted_labels(const std::vector<ListEntry>& entries) {
  std::set<std::string> labels;
  for (const ListEntry& entry : entries) labels.insert(entry.label);
  return {labels.begin(), labels.end()};
}

/// Gives entries their labels and paths.
void add_samples(const std::vector<ListEntry>& entries, MediaFinder finder, SampleList& list) {
  const bool numbers = has_numbers(entries, list.classes);
  if (!numbers && list.classes.empty()) list.classes = sorted_labels(entries);
  std::map<std::string_view, std::int64_t> places;
  for (std::size_t i = 0; i < list.classes.size(); ++i) {
    places.emplace(list.classes[i], static_cast<std::int64_t>(i));
  }
  const auto label_of = [&](const ListEntry& entry) -> std::optional<std::int64_t> {
    if (numbers) return parse_integer(entry.label);
    const auto place = places.find(entry.label);
    return place == places.end() ? std::nullopt : std::optional(place->second);
  };
  for (const ListEntry& entry : entries) {
    const std::optional<std::int64_t> label = label_of(entry);
    if (!label) {
      list.faults.push_back(entry.origin + ": its label " + in_quotes(entry.label) +
                            (numbers
                                 ? " is not a number, as the others of the list are."
                                 : " is none of the " + std::to_string(places.size()) + " known classes."));
      continue;
    }
    const bool has_name = *label >= 0 && *label < std::ssize(list.classes);
    const std::string& name = has_name ? list.classes[static_cast<std::size_t>(*label)] : entry.label;
    list.samples.push_back({finder.locate(entry.path, name), *label, entry.frames, entry.origin});
  }
}

}  // namespace

SampleList read_sample_list(const fs::path& list_or_folder, const SampleListOptions& options) {
  std::error_code ignored;
  if (fs::is_directory(list_or_folder, ignored)) return read_class_folders(list_or_folder, options);
  SampleList list;
  list.name = list_or_folder.string();
  const fs::path root = options.root.empty() ? list_or_folder.parent_path() : options.root;
  ListRules rules;
  rules.raw_frames = !options.raw_frames.pattern.empty();
  MediaFinder finder(root);
  rules.is_there = [&](const std::string& path) {
    std::error_code failed;
    return fs::is_directory(root / path, failed) || fs::is_regular_file(finder.locate(path, ""), failed);
  };
  ParsedList parsed = parse_list(read_text(list_or_folder), list.name, rules);
  list.faults = std::move(parsed.faults);
  list.classes = options.classes.empty() ? labels_beside(list_or_folder) : options.classes;
  add_samples(parsed.entries, std::move(finder), list);
  if (list.samples.empty()) throw Error(list.name + " has no entry that can be used: " + list.faults.front());
  return list;
}

std::string about(const Sample& sample, const std::string& message) {
  const std::string start = sample.origin + ":";
  return message.starts_with(start) ? message : start + " " + message;
}

std::int64_t class_count(const SampleList& list) {
  std::int64_t count = std::ssize(list.classes);
  for (const Sample& sample : list.samples) count = std::max(count, sample.label + 1);
  return count;
}

}  // namespace tpn
