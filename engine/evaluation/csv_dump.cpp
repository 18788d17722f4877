#include "engine/evaluation/csv_dump.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/data/csv_list.h"
#include "engine/model/text.h"
#include "engine/model/text_lines.h"
#include "engine/report/class_rank.h"
#include "engine/report/json_text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::string_view score_column = "score_";

/// In quotes; line ends, which the reader does not take within a field, become '?'.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : printable(text)) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

struct Columns {
  std::size_t path;
  std::size_t label;
  std::size_t error;
  std::size_t first_score;
  std::size_t classes;
};

Columns columns_of(const std::vector<std::string>& heading, const std::string& name) {
  const auto place = [&](const std::string& column) {
    const auto found = std::ranges::find(heading, column);
    if (found == heading.end()) throw Error(name + ", line 1: it has no column " + column + ".");
    return static_cast<std::size_t>(found - heading.begin());
  };
  const std::size_t first = place(std::string(score_column) + "0");
  std::size_t classes = 0;
  while (first + classes < heading.size() &&
         heading[first + classes] == std::string(score_column) + std::to_string(classes)) {
    ++classes;
  }
  return {place("path"), place("label"), place("error"), first, classes};
}

}  // namespace

CsvDump::CsvDump(const std::filesystem::path& path, const EvaluationRun& run)
    : file_(path), classes_(run.classes.size()) {
  std::string heading = "entry,path,label,guess,frames,seconds,error";
  for (std::size_t k = 0; k < classes_; ++k) heading += "," + std::string(score_column) + std::to_string(k);
  file_.write(heading + "\n");
}

void CsvDump::add(const EvaluatedVideo& video) {
  std::string line =
      std::to_string(video.entry) + "," + quoted(video.path) + "," + std::to_string(video.label) + "," +
      (video.readable() ? std::to_string(best_class(video.scores)) : std::string()) + "," +
      std::to_string(video.frames) + "," + json_number(video.seconds) + "," + quoted(video.error);
  for (std::size_t k = 0; k < classes_; ++k) {
    line += ',';
    if (video.readable()) line += json_float(video.scores[k]);
  }
  file_.write(line + "\n");
}

ScoreTable read_csv_dump(const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::vector<std::string> lines = read_text_lines(path);
  const auto heading = lines.empty() ? std::nullopt : split_fields(lines.front(), ',');
  if (!heading) throw Error(name + ": it has no heading.");
  const Columns columns = columns_of(*heading, name);
  ScoreTable table{name, {}, true, true};
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string place = name + ", line " + std::to_string(i + 1);
    const auto fields = split_fields(lines[i], ',');
    if (!fields || fields->size() != heading->size())
      throw Error(place + ": its fields are not those of the heading.");
    EvaluatedVideo& video = table.videos.emplace_back();
    video.entry = i - 1;
    video.path = (*fields)[columns.path];
    video.origin = place;
    const auto label = parse_integer((*fields)[columns.label]);
    if (!label) throw Error(place + ": its label is no number.");
    video.label = *label;
    video.error = (*fields)[columns.error];
    if (!video.readable()) continue;
    for (std::size_t k = 0; k < columns.classes; ++k) {
      const auto score = parse_number<float>((*fields)[columns.first_score + k]);
      if (!score) throw Error(place + ": its score " + std::to_string(k) + " is no number.");
      video.scores.push_back(*score);
    }
  }
  return table;
}

}  // namespace tpn
