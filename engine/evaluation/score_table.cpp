#include "engine/evaluation/score_table.h"

#include <utility>

#include "engine/evaluation/csv_dump.h"
#include "engine/evaluation/json_dump.h"
#include "engine/evaluation/numpy_dump.h"
#include "engine/evaluation/pickle_dump.h"
#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {

DumpFormat dump_format_named(const std::string& name) {
  if (name == "jsonl" || name == "json") return DumpFormat::json_lines;
  if (name == "csv") return DumpFormat::csv;
  if (name == "npy") return DumpFormat::numpy;
  if (name == "pkl" || name == "pickle") return DumpFormat::pickle;
  throw Error("There is no form of results " + in_quotes(name) + "; there are jsonl, csv, npy and pkl.");
}

DumpFormat dump_format_of(const std::filesystem::path& path) {
  const std::string end = path.extension().string();
  if (end.empty())
    throw Error(path.string() +
                ": its name does not tell its form; it ends in none of .jsonl, .csv, .npy, .pkl.");
  return dump_format_named(end.substr(1));
}

ScoreTable read_score_table(const std::filesystem::path& path, DumpFormat format) {
  switch (format) {
    case DumpFormat::json_lines: {
      ScoreTable table{path.string(), {}, true, true};
      read_json_dump(path, {[](const EvaluationRun&) {},
                            [&](EvaluatedVideo&& video) { table.videos.push_back(std::move(video)); }});
      return table;
    }
    case DumpFormat::csv:
      return read_csv_dump(path);
    case DumpFormat::numpy:
      return read_numpy_dump(path);
    case DumpFormat::pickle:
      return read_pickle_dump(path);
  }
  throw Error("There is no such form of results.");
}

}  // namespace tpn
