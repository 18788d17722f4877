#include "engine/model/text_lines.h"

#include <array>
#include <fstream>

#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::string_view utf8_mark = "\xef\xbb\xbf";
constexpr std::string_view utf16_little_mark = "\xff\xfe";
constexpr std::string_view utf16_big_mark = "\xfe\xff";

}  // namespace

std::vector<std::string> text_lines(std::string_view text, const std::string& name) {
  if (text.starts_with(utf16_little_mark) || text.starts_with(utf16_big_mark)) {
    throw Error(name + " is UTF-16 text; save it as UTF-8.");
  }
  if (text.starts_with(utf8_mark)) text.remove_prefix(utf8_mark.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool has_nul = line.find('\0') != std::string_view::npos;
    if (has_nul || !is_utf8(line)) {
      throw Error(name + ", line " + std::to_string(lines.size() + 1) +
                  (has_nul ? " holds a NUL byte; a text with one entry a line is expected."
                           : " is not UTF-8 text: " + in_quotes(line) + "; save the file as UTF-8."));
    }
    lines.emplace_back(line);
  }
  return lines;
}

std::vector<std::string> read_text_lines(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, std::size_t{1} << 16> piece{};
  while (file.read(piece.data(), piece.size()) || file.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof()) throw Error(path.string() + " cannot be read.");  // absent, a folder, or forbidden
  return text_lines(text, path.string());
}

}  // namespace tpn
