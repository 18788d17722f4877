#include "engine/evaluation/merge.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "engine/evaluation/json_dump.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::size_t most_named = 5;

/// "3, 7, 11 and 20 more".
std::string some_of(const std::vector<std::size_t>& entries) {
  std::string text;
  for (std::size_t i = 0; i < std::min(entries.size(), most_named); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(entries[i]);
  }
  if (entries.size() > most_named) text += " and " + std::to_string(entries.size() - most_named) + " more";
  return text;
}

void require_every_entry_once(const MergedEvaluation& merged) {
  std::vector<int> counts(merged.run.entries);
  for (const EvaluatedVideo& video : merged.videos) ++counts[video.entry];
  std::vector<std::size_t> missing;
  std::vector<std::size_t> repeated;
  for (std::size_t entry = 0; entry < counts.size(); ++entry) {
    if (counts[entry] == 0) missing.push_back(entry);
    if (counts[entry] > 1) repeated.push_back(entry);
  }
  if (!repeated.empty())
    throw Error("Entries are in the parts more than once (counted from 0): " + some_of(repeated) + ".");
  if (missing.empty()) return;
  throw Error("Of " + std::to_string(merged.run.entries) + " entries " + std::to_string(missing.size()) +
              " are in none of the parts (counted from 0): " + some_of(missing) + ".");
}

}  // namespace

MergedEvaluation merge_evaluations(std::span<const std::filesystem::path> dumps) {
  MergedEvaluation merged;
  std::optional<EvaluationRun> run;
  for (const std::filesystem::path& path : dumps) {
    bool has_heading = false;
    const auto take_heading = [&](const EvaluationRun& heading) {
      has_heading = true;
      if (run) require_same_run(*run, heading, path.string());
      run = heading;
    };
    const WholeLines end = read_json_dump(
        path, {take_heading, [&](EvaluatedVideo&& video) { merged.videos.push_back(std::move(video)); }});
    if (!has_heading) throw Error(path.string() + ": it holds no results.");
    if (end.torn) throw Error(path.string() + ": its last line has no end; go on with it by --resume first.");
  }
  if (!run) throw Error("There are no parts to be merged.");
  merged.run = *std::move(run);
  merged.run.shard = {};
  require_every_entry_once(merged);
  std::ranges::sort(merged.videos, {}, &EvaluatedVideo::entry);
  return merged;
}

}  // namespace tpn
