#include "apps/input_list.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/model/text_lines.h"
#include "engine/video/find_videos.h"
#include "kernels/error.h"

namespace tpn::app {
namespace {

constexpr std::size_t longest_name = 4096;  // Linux's limit of a path
constexpr std::size_t longest_url = 65536;

/// The names in a list, which is called `list` in messages.
std::vector<std::string> names_in(std::string_view text, const std::string& list, bool null_separated) {
  std::vector<std::string> names;
  if (null_separated) {
    while (!text.empty()) {
      const std::string_view name = text.substr(0, text.find('\0'));
      text.remove_prefix(std::min(name.size() + 1, text.size()));
      names.emplace_back(name);
    }
  } else {
    if (text.find('\0') != std::string_view::npos && text.find('\n') == std::string_view::npos) {
      throw Error(
          list +
          " has NUL bytes and no line ends in it; lists of names that end with NUL bytes need --null.");
    }
    names = text_lines(text, list, LineBytes::any);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t limit = names[i].find("://") == std::string::npos ? longest_name : longest_url;
    if (names[i].size() > limit) {
      throw Error(list + ", " + (null_separated ? "name " : "line ") + std::to_string(i + 1) + " has " +
                  std::to_string(names[i].size()) + " bytes; no name of a video is that long.");
    }
  }
  std::erase_if(names, [&](const std::string& name) {
    return null_separated ? name.empty() : name.find_first_not_of(" \t") == std::string::npos;
  });
  return names;
}

class Expansion {
 public:
  explicit Expansion(const InputOptions& options) : options_(options) {
    if (!options.frames.empty()) pattern_.emplace(options.frames);
  }

  void add(const std::string& name) {
    std::error_code ignored;
    FoundVideos found;
    if (std::filesystem::is_directory(name, ignored)) found = find_videos(name, pattern_);
    if (found.names.empty()) found.names.push_back(name);  // what is wrong is said when it is opened
    std::ranges::move(found.names, std::back_inserter(result_.names));
    std::ranges::move(found.warnings, std::back_inserter(result_.warnings));
  }

  void add_list(std::string_view text, const std::string& list) {
    const std::vector<std::string> names = names_in(text, list, options_.null_separated);
    if (names.empty()) result_.warnings.push_back(list + " names no videos.");
    for (const std::string& name : names) add(name);
  }

  Inputs take() { return std::move(result_); }

 private:
  InputOptions options_;
  std::optional<FramePattern> pattern_;
  Inputs result_;
};

}  // namespace

Inputs expand_inputs(std::span<const std::string> names, std::istream& standard_input,
                     const InputOptions& options) {
  if (std::ranges::count(names, "-") > 1) throw Error("Standard input (-) can be read only once.");
  Expansion expansion(options);
  for (const std::string& name : names) {
    if (name == "-") {
      constexpr const char* list = "Standard input";
      expansion.add_list(read_text(standard_input, list), list);
    } else if (name.starts_with('@')) {
      const std::string list = name.substr(1);
      if (list.empty()) throw Error("After @ the name of a list is expected.");
      expansion.add_list(read_text(std::filesystem::path(list)), list);
    } else {
      expansion.add(name);
    }
  }
  return expansion.take();
}

}  // namespace tpn::app
