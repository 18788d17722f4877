#include "engine/video/image_kind.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace tpn {
namespace {

/// Words in lower case: letters without anything between them.
std::set<std::string> words_of(std::string_view name) {
  std::set<std::string> words;
  std::string word;
  for (const char c : std::string(name) + '\0') {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (low >= 'a' && low <= 'z') {
      word += low;
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  return words;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 25> other_words{{
    {"depth", "depth"},          {"disp", "disparity"},
    {"disparity", "disparity"},  {"mask", "masks"},
    {"masks", "masks"},          {"matte", "masks"},
    {"alpha", "masks"},          {"seg", "segments"},
    {"segm", "segments"},        {"segmentation", "segments"},
    {"label", "labels"},         {"labels", "labels"},
    {"annotation", "labels"},    {"normal", "normals"},
    {"normals", "normals"},      {"ir", "infrared"},
    {"infrared", "infrared"},    {"thermal", "infrared"},
    {"heatmap", "heat maps"},    {"pose", "poses"},
    {"skeleton", "poses"},       {"edge", "edges"},
    {"edges", "edges"},          {"thumb", "thumbnails"},
    {"thumbnail", "thumbnails"},
}};

}  // namespace

std::string kind_by_words(std::string_view name) {
  const std::set<std::string> words = words_of(name);
  const auto has = [&](std::string_view word) { return words.contains(std::string(word)); };
  const auto is_flow = [](const std::string& word) { return word.find("flow") != std::string::npos; };
  if (std::ranges::any_of(words, is_flow)) {
    // dense_flow calls the image that goes with flow_x and flow_y flow_i.
    const bool is_image = has("i") || has("img") || has("image") || has("rgb");
    return is_image ? "" : "optical flow";
  }
  for (const auto& [word, kind] : other_words) {
    if (has(word)) return std::string(kind);
  }
  return {};
}

}  // namespace tpn
