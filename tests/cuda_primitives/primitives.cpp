#include "tests/cuda_primitives/primitives.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include "kernels/error.h"

namespace tpn::test {
namespace {

using nlohmann::json;

/// Of sums of up to 33 terms in [-1, 1], each of which tensor cores may cut to the last bit of the largest.
constexpr double sum_tolerance = 33 * 0x1p-20;

bool agree(std::uint32_t found, std::uint32_t expected, bool sums) {
  if (!sums) return found == expected;
  const double difference = double{std::bit_cast<float>(found)} - std::bit_cast<float>(expected);
  return std::abs(difference) <= sum_tolerance;
}

/// Eight digits for each word.
std::string to_hex(const std::vector<std::uint32_t>& words) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(8 * words.size());
  for (const std::uint32_t word : words) {
    for (int shift = 28; shift >= 0; shift -= 4) text += digits[word >> shift & 15U];
  }
  return text;
}

std::vector<std::uint32_t> from_hex(std::string_view text) {
  std::vector<std::uint32_t> words(text.size() / 8);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const char* const first = text.data() + 8 * i;
    const auto parsed = std::from_chars(first, first + 8, words[i], 16);
    if (parsed.ec != std::errc() || parsed.ptr != first + 8) throw Error("a word is no hexadecimal number");
  }
  return words;
}

}  // namespace

void write_primitives(const std::vector<Primitive>& primitives, const std::string& device,
                      const std::filesystem::path& path) {
  json list = json::array();
  for (const Primitive& p : primitives) {
    list.push_back({{"name", p.name}, {"sums", p.sums}, {"words", to_hex(p.words)}});
  }
  std::ofstream file(path);
  file << json{{"device", device}, {"primitives", list}}.dump(1) << std::endl;
  if (!file) throw Error("Cannot write " + path.string() + ".");
}

std::vector<Primitive> read_primitives(const std::filesystem::path& path) {
  try {
    const json dump = json::parse(std::ifstream(path));
    std::vector<Primitive> primitives;
    for (const json& p : dump.at("primitives")) {
      primitives.push_back({p.at("name").get<std::string>(), p.at("sums").get<bool>(),
                            from_hex(p.at("words").get<std::string>())});
    }
    return primitives;
  } catch (const std::exception& e) {
    throw Error(path.string() + " is no dump of primitives: " + e.what());
  }
}

std::vector<std::string> differences(const std::vector<Primitive>& found,
                                     const std::vector<Primitive>& expected) {
  std::vector<std::string> lines;
  for (const Primitive& e : expected) {
    const auto f =
        std::find_if(found.begin(), found.end(), [&](const Primitive& p) { return p.name == e.name; });
    if (f == found.end() || f->words.size() != e.words.size()) {
      lines.push_back(e.name + ": " + (f == found.end() ? "missing" : "another number of words"));
      continue;
    }
    for (std::size_t i = 0; i < e.words.size(); ++i) {
      if (agree(f->words[i], e.words[i], e.sums)) continue;
      lines.push_back(e.name + ": word " + std::to_string(i) + " is " + std::to_string(f->words[i]) +
                      " instead of " + std::to_string(e.words[i]));
      break;
    }
  }
  return lines;
}

}  // namespace tpn::test
