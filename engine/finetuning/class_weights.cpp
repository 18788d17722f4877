#include "engine/finetuning/class_weights.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>

#include "engine/finetuning/finetune_data.h"
#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr const char* blanks = ", \t\r\n";

std::vector<float> balanced(std::span<const std::int64_t> labels, std::int64_t classes) {
  const std::vector<std::int64_t> counts = count_labels(labels, classes);
  const auto present = std::ranges::count_if(counts, [](std::int64_t count) { return count > 0; });
  std::vector<float> weights;
  weights.reserve(counts.size());
  for (const std::int64_t count : counts) {
    weights.push_back(count == 0 ? 0.0F
                                 : static_cast<float>(static_cast<double>(labels.size()) /
                                                      static_cast<double>(present * count)));
  }
  return weights;
}

/// The words of a text that are to be numbers.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = text.find_first_not_of(blanks); at != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(blanks, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(blanks, end);
  }
  return words;
}

bool are_numbers(const std::string& text) {
  return std::ranges::all_of(words_of(text),
                             [](const std::string& word) { return parse_number<float>(word).has_value(); });
}

}  // namespace

std::string with_numbers(const std::string& how) {
  if (how == "none" || how == "balanced" || are_numbers(how)) return how;
  std::ifstream file(how, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) {
    throw Error("--class-weights takes none, balanced, numbers or a file of numbers; " + in_quotes(how) +
                " is none of these and cannot be read.");
  }
  std::string numbers;
  for (const std::string& word : words_of(text)) {
    if (!parse_number<float>(word)) throw Error(how + ": " + in_quotes(word) + " is no weight of a class.");
    numbers += (numbers.empty() ? "" : ",") + word;
  }
  if (numbers.empty()) throw Error(how + " has no weights of classes.");
  return numbers;
}

std::vector<float> class_weights(const std::string& how, std::span<const std::int64_t> labels,
                                 std::int64_t classes) {
  if (how == "none") return {};
  if (how == "balanced") return balanced(labels, classes);
  std::vector<float> weights;
  for (const std::string& word : words_of(with_numbers(how))) {
    const float weight = parse_number<float>(word).value();
    if (!(weight >= 0) || std::isinf(weight)) {
      throw Error("The weight " + word + " of class " + std::to_string(weights.size()) +
                  " is not a finite number from 0 on.");
    }
    weights.push_back(weight);
  }
  if (std::ssize(weights) != classes) {
    throw Error("There are " + std::to_string(weights.size()) + " weights of classes, and " +
                std::to_string(classes) + " classes.");
  }
  const auto counts = [&](std::int64_t label) { return weights[static_cast<std::size_t>(label)] > 0; };
  if (std::ranges::none_of(labels, counts)) throw Error("The weights of all clips' classes are 0.");
  return weights;
}

}  // namespace tpn
