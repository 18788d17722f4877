#include "engine/finetuning/flip_labels.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>

#include "engine/model/text.h"
#include "kernels/error.h"

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

FlipLabels by_names(const std::vector<std::string>& names) {
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

FlipLabels by_pairs(std::string_view pairs, std::int64_t classes) {
  FlipLabels result;
  for (std::size_t at = 0; at <= pairs.size();) {
    const std::size_t end = std::min(pairs.find(',', at), pairs.size());
    const std::string_view pair = pairs.substr(at, end - at);
    at = end + 1;
    const std::size_t colon = std::min(pair.find(':'), pair.size());
    const auto first = parse_integer(pair.substr(0, colon));
    const auto second = parse_integer(pair.substr(std::min(colon + 1, pair.size())));
    if (!first || !second) {
      throw Error("--flip takes auto, keep, off, or pairs of classes that change places, like 2:4,30:41; " +
                  in_quotes(pair) + " is none of these.");
    }
    for (const std::int64_t label : {*first, *second}) {
      if (label < 0 || label >= classes) {
        throw Error("--flip names class " + std::to_string(label) + ", and there are " +
                    std::to_string(classes) + " classes, counted from 0.");
      }
      if (!result.map.emplace(label, label == *first ? *second : *first).second) {
        throw Error("--flip names class " + std::to_string(label) + " twice.");
      }
    }
  }
  return result;
}

}  // namespace

FlipLabels flip_labels(const std::string& how, const std::vector<std::string>& names) {
  if (how == "auto") return by_names(names);
  if (how == "keep") return {};
  if (how == "off") return {.mirrors = false};
  return by_pairs(how, std::ssize(names));
}

}  // namespace tpn
