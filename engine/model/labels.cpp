#include "engine/model/labels.h"

#include <fstream>

#include "kernels/error.h"

namespace tpn {
namespace {

std::string trimmed(const std::string& line) {
  constexpr const char* space = " \t\r\n\v\f";
  const std::size_t begin = line.find_first_not_of(space);
  return begin == std::string::npos ? "" : line.substr(begin, line.find_last_not_of(space) - begin + 1);
}

}  // namespace

const std::vector<std::string>& builtin_labels(std::string_view dataset) {
  static const std::vector<std::string> kinetics400 = {
#include "engine/model/labels_kinetics400.inc"
  };
  static const std::vector<std::string> something_something_v1 = {
#include "engine/model/labels_something_something_v1.inc"
  };
  if (dataset == "kinetics400") return kinetics400;
  if (dataset == "something_something_v1") return something_something_v1;
  throw Error("There are no built-in labels \"" + std::string(dataset) +
              "\"; there are kinetics400 and something_something_v1.");
}

std::vector<std::string> read_labels(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> labels;
  std::size_t last = 0;  // lines up to the last one that is not empty
  for (std::string line; std::getline(file, line);) {
    labels.push_back(trimmed(line));
    if (!labels.back().empty()) last = labels.size();
  }
  if (!file.eof()) throw Error(path.string() + " cannot be read.");
  labels.resize(last);
  if (labels.empty()) throw Error(path.string() + " has no labels; one label a line is expected.");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].empty()) throw Error(path.string() + ", line " + std::to_string(i + 1) + " has no label.");
  }
  return labels;
}

}  // namespace tpn
