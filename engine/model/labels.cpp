#include "engine/model/labels.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/model/label_file.h"
#include "engine/model/text_lines.h"
#include "kernels/error.h"

namespace tpn {
namespace {

using Names = std::vector<std::string>;

const Names& kinetics400() {
  static const Names names = {
#include "engine/model/labels_kinetics400.inc"
  };
  return names;
}

const Names& something_something_v1() {
  static const Names names = {
#include "engine/model/labels_something_something_v1.inc"
  };
  return names;
}

/// V2 has the 174 names of V1, and its own list is sorted.
const Names& something_something_sorted() {
  static const Names names = [] {
    Names sorted = something_something_v1();
    std::ranges::sort(sorted);
    return sorted;
  }();
  return names;
}

constexpr std::array<std::pair<std::string_view, const Names& (*)()>, 4> builtin{{
    {"kinetics400", kinetics400},
    {"something_something_v1", something_something_v1},
    {"something_something_v1_sorted", something_something_sorted},
    {"something_something_v2", something_something_sorted},
}};

std::string builtin_list() {
  std::string list;
  for (const auto& [name, labels] : builtin) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

const Names* find_builtin(std::string_view name) {
  const auto found = std::ranges::find(builtin, name, [](const auto& entry) { return entry.first; });
  return found == builtin.end() ? nullptr : &found->second();
}

}  // namespace

const std::vector<std::string>& builtin_label_names() {
  static const Names names = [] {
    Names all;
    for (const auto& [name, labels] : builtin) all.emplace_back(name);
    return all;
  }();
  return names;
}

const std::vector<std::string>& builtin_labels(std::string_view name) {
  if (const Names* const labels = find_builtin(name)) return *labels;
  throw Error("There are no built-in labels \"" + std::string(name) + "\"; there are " + builtin_list() +
              ".");
}

std::vector<std::string> read_labels(const std::filesystem::path& path) {
  return parse_label_file(read_text(path), path.string());
}

std::vector<std::string> load_labels(const std::string& name_or_path) {
  if (name_or_path == "none") return {};
  if (const Names* const labels = find_builtin(name_or_path)) return *labels;
  if (std::error_code ignored; !std::filesystem::exists(name_or_path, ignored)) {
    throw Error("\"" + name_or_path + "\" is neither a file nor the name of built-in labels (" +
                builtin_list() + ").");
  }
  return read_labels(name_or_path);
}

}  // namespace tpn
