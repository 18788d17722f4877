#include "apps/input_list.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "engine/video/natural_order.h"
#include "kernels/error.h"

namespace tpn::app {
namespace {

namespace fs = std::filesystem;

bool is_video(const fs::path& path) {
  static constexpr std::array<std::string_view, 18> extensions{
      ".3gp",  ".avi", ".flv", ".h264", ".m2ts", ".m4v", ".mkv",  ".mov", ".mp4",
      ".mpeg", ".mpg", ".mts", ".ogv",  ".ts",   ".vob", ".webm", ".wmv", ".y4m"};
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::ranges::find(extensions, extension) != extensions.end();
}

/// Empty when `name` is no folder or holds no videos.
std::vector<std::string> videos_in(const std::string& name) {
  std::vector<std::string> videos;
  std::error_code error;
  for (fs::directory_iterator entry(name, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored) && is_video(entry->path())) videos.push_back(entry->path().string());
  }
  std::ranges::sort(videos, natural_less);
  return videos;
}

void add(const std::string& name, std::vector<std::string>& inputs) {
  const std::vector<std::string> videos = videos_in(name);
  if (videos.empty()) {
    inputs.push_back(name);
  } else {
    inputs.insert(inputs.end(), videos.begin(), videos.end());
  }
}

void add_lines(std::istream& list, std::vector<std::string>& inputs) {
  for (std::string line; std::getline(list, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) add(line, inputs);
  }
}

}  // namespace

std::vector<std::string> expand_inputs(std::span<const std::string> names, std::istream& standard_input) {
  std::vector<std::string> inputs;
  for (const std::string& name : names) {
    if (name == "-") {
      add_lines(standard_input, inputs);
    } else if (name.starts_with('@')) {
      const std::string path = name.substr(1);
      std::ifstream list(path);
      if (!list || fs::is_directory(path)) throw Error(path + ": the list of videos cannot be read.");
      add_lines(list, inputs);
    } else {
      add(name, inputs);
    }
  }
  return inputs;
}

}  // namespace tpn::app
