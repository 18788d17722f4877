#include "weights_converter/report.h"

#include <algorithm>

#include "engine/model/text.h"

namespace tpn {
namespace {

/// "  label:      value"
std::string line(const std::string& label, const std::string& value) {
  constexpr std::size_t width = 12;
  std::string text = "  " + label + ':';
  text.resize(std::max(text.size() + 1, width + 2), ' ');
  return text + value + '\n';
}

std::string join_names(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
    text += (i > 0 ? ", " : "") + in_quotes(names[i]);
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

/// "3 tensors: 'a', 'b', 'c'"
std::string counted(const std::vector<std::string>& names, const std::string& what) {
  return std::to_string(names.size()) + ' ' + what + (names.size() == 1 ? ": " : "s: ") + join_names(names);
}

std::string arrow(const std::filesystem::path& in, const std::filesystem::path& out) {
  return in.string() + " -> " + out.string() + '\n';
}

}  // namespace

std::string describe_conversion(const ConvertReport& report, const std::filesystem::path& in,
                                const std::filesystem::path& out) {
  std::string text = arrow(in, out);
  text += line("model", report.config.name + ", " + std::to_string(report.config.head.num_classes) +
                            " classes, " + std::to_string(report.elements) + " parameters");
  text += line("sha256", report.sha256 + (report.digest_verified ? " (as the file's name says)" : ""));
  if (!report.found_under.empty() || !report.also_under.empty()) {
    std::string where = report.found_under.empty() ? "at the root" : "under " + in_quotes(report.found_under);
    if (!report.also_under.empty()) {
      where += "; others are under " + join_names(report.also_under) + " (--weights chooses)";
    }
    text += line("weights", where);
  }
  text += line("loaded",
               std::to_string(report.loaded) + " tensors, names of " + std::string(name_of(report.scheme)));
  if (report.renamed > 0) {
    std::string removed;
    if (!report.prefixes.empty()) {
      removed = (report.prefixes.size() == 1 ? ", prefix " : ", prefixes ") + join_names(report.prefixes) +
                " taken off";
    }
    text += line("renamed", std::to_string(report.renamed) + " tensors" + removed);
  }
  if (!report.dropped.empty()) text += line("dropped", counted(report.dropped, "tensor"));
  if (!report.unexpected.empty()) {
    text += line("dropped", counted(report.unexpected, "tensor") + ", for which the model has no place");
  }
  if (!report.other_keys.empty()) text += line("left out", join_names(report.other_keys));
  if (!report.initialized.empty()) {
    text +=
        line("missing", counted(report.initialized, "tensor") + ", initialised at random: train before use");
  }
  if (report.zeroed_batches > 0) {
    text += line("missing", std::to_string(report.zeroed_batches) + " num_batches_tracked, set to 0");
  }
  text += line("labels", report.labels.empty()
                             ? "none (--labels gives some)"
                             : std::to_string(report.labels.size()) + ", " + report.labels_from);
  for (const std::string& note : report.notes) text += line("note", note);
  return text;
}

std::string describe_export(const ExportReport& report, const std::filesystem::path& in,
                            const std::filesystem::path& out) {
  std::string text =
      arrow(in, out) + line("written", std::to_string(report.tensors) + " tensors under \"state_dict\"");
  for (const std::string& note : report.notes) text += line("note", note);
  return text;
}

}  // namespace tpn
