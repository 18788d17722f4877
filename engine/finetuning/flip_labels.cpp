#include "engine/finetuning/flip_labels.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace tpn {
namespace {

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

/// The name with its words "left" and "right" exchanged, whatever letters are capital.
std::string mirrored(const std::string& name) {
  std::string result;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t end = at;
    while (end < name.size() && is_letter(name[end])) ++end;
    if (end == at) {
      result += name[at++];
      continue;
    }
    const std::string word = name.substr(at, end - at);
    std::string lower = word;
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string other = lower == "left" ? "right" : lower == "right" ? "left" : word;
    if (other != word && std::isupper(static_cast<unsigned char>(word[0])) != 0) {
      other[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(other[0])));
    }
    result += other;
    at = end;
  }
  return result;
}

}  // namespace

FlipLabels flip_labels(const std::vector<std::string>& names) {
  FlipLabels result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string other = mirrored(names[i]);
    if (other == names[i]) continue;
    const auto found = std::ranges::find(names, other);
    if (found == names.end()) {
      result.without_counterpart.push_back(static_cast<std::int64_t>(i));
    } else {
      result.map[static_cast<std::int64_t>(i)] = found - names.begin();
    }
  }
  return result;
}

}  // namespace tpn
