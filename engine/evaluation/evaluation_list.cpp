#include "engine/evaluation/evaluation_list.h"

#include <algorithm>
#include <map>

#include "engine/model/text.h"
#include "kernels/digest.h"
#include "kernels/error.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;

/// Relative where it lies below the root. What no text can hold is replaced, so that dumps of all forms
/// agree.
std::string below(const fs::path& root, const fs::path& path) {
  const fs::path relative = path.lexically_normal().lexically_relative(root.lexically_normal());
  const bool inside = !relative.empty() && relative.begin()->string() != "..";
  return printable((inside ? relative : path).string());
}

/// Labels that go from 1 to K have to be a mistake: none is the first class, and one is no class.
void check_first_label(const SampleList& list, std::int64_t classes) {
  const auto [least, most] = std::ranges::minmax(list.samples, {}, &Sample::label);
  if (least.label != 1 || most.label != classes) return;
  throw Error(list.name + ": its labels go from 1 to " + std::to_string(classes) +
              "; they seem to be counted from 1, but have to be counted from 0.");
}

}  // namespace

std::string EvaluationList::digest() const {
  Digest digest;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    digest.add_field(entries[i].path).add_field(entries[i].label).add_field(inputs[i].frames);
  }
  return digest.text();
}

EvaluationList read_evaluation_list(const fs::path& list_or_folder, const std::vector<std::string>& classes,
                                    SampleListOptions options) {
  const auto count = std::ssize(classes);
  const bool has_names = std::ranges::any_of(classes, [](const std::string& name) { return !name.empty(); });
  if (has_names) options.classes = classes;
  SampleList list = read_sample_list(list_or_folder, options);
  if (list.samples.empty()) throw Error(list.name + " has no videos.");
  if (!has_names && !list.classes.empty() && std::ssize(list.classes) != count) {
    throw Error(list.name + ": its labels are the names of " + std::to_string(list.classes.size()) +
                " classes, and the model has " + std::to_string(count) +
                " without names; give their names in order with --labels.");
  }
  check_first_label(list, count);

  EvaluationList result{.name = list.name,
                        .entries = {},
                        .inputs = {},
                        .classes = has_names || list.classes.empty() ? classes : list.classes,
                        .warnings = std::move(list.warnings)};
  if (!has_names && !list.classes.empty()) {
    result.warnings.push_back("The model's classes have no names; those of " + list.name +
                              " are taken in their order.");
  }
  const bool folder = fs::is_directory(list_or_folder);
  const fs::path root = !options.root.empty() ? options.root
                        : folder              ? list_or_folder
                                              : list_or_folder.parent_path();
  std::map<std::string, std::string> origins;  // of the paths so far
  for (const Sample& sample : list.samples) {
    EvaluatedVideo& entry = result.entries.emplace_back();
    entry.path = below(root, sample.path);
    entry.origin = printable(sample.origin);
    result.inputs.push_back({sample.path.string(), sample.frames});
    if (sample.label >= 0 && sample.label < count) {
      entry.label = sample.label;
    } else {
      entry.error = entry.origin + ": its label " + std::to_string(sample.label) +
                    " is none of the model's " + std::to_string(count) + " classes.";
      result.inputs.back().name.clear();
    }
    const auto [place, added] = origins.try_emplace(entry.path, sample.origin);
    if (!added) {
      result.warnings.push_back(sample.origin + ": " + entry.path + " is in " + place->second +
                                " too, and counts twice.");
    }
  }
  for (const std::string& fault : list.faults) {
    result.entries.push_back({.origin = list.name, .error = printable(fault)});
    result.inputs.push_back({});
  }
  for (std::size_t i = 0; i < result.entries.size(); ++i) result.entries[i].entry = i;
  return result;
}

}  // namespace tpn
