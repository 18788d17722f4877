#include "engine/model/text_lines.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::string_view utf8_mark = "\xef\xbb\xbf";
constexpr std::string_view utf16_little_mark = "\xff\xfe";
constexpr std::string_view utf16_big_mark = "\xfe\xff";

/// By its mark, or by the zeros that every second byte of Latin letters is.
bool is_utf16(std::string_view text) {
  if (text.starts_with(utf16_little_mark) || text.starts_with(utf16_big_mark)) return true;
  const std::string_view head = text.substr(0, 64);
  std::array<std::size_t, 2> zeros{};  // at even and at odd places
  for (std::size_t i = 0; i < head.size(); ++i) zeros[i % 2] += head[i] == '\0' ? 1 : 0;
  return std::min(zeros[0], zeros[1]) == 0 && std::max(zeros[0], zeros[1]) * 4 > head.size();
}

}  // namespace

std::vector<std::string> text_lines(std::string_view text, const std::string& name, LineBytes bytes) {
  if (is_utf16(text)) throw Error(name + " is UTF-16 text; save it as UTF-8.");
  if (text.starts_with(utf8_mark)) text.remove_prefix(utf8_mark.size());
  const char end_of_line = text.find('\n') == std::string_view::npos ? '\r' : '\n';
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find(end_of_line);
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool has_nul = line.find('\0') != std::string_view::npos;
    if (has_nul || (bytes == LineBytes::utf8 && !is_utf8(line))) {
      throw Error(name + ", line " + std::to_string(lines.size() + 1) +
                  (has_nul ? " holds a NUL byte; a text with one entry a line is expected."
                           : " is not UTF-8 text: " + in_quotes(line) + "; save the file as UTF-8."));
    }
    lines.emplace_back(line);
  }
  return lines;
}

std::string read_text(std::istream& stream, const std::string& name) {
  std::string text;
  std::array<char, std::size_t{1} << 16> piece{};
  while (stream.read(piece.data(), piece.size()) || stream.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > most_text_bytes) {
      throw Error(name + " has more than " + std::to_string(most_text_bytes >> 20) +
                  " MiB; a text with one entry a line is expected.");
    }
  }
  if (!stream.eof()) throw Error(name + " cannot be read.");
  return text;
}

std::string read_text(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw Error(path.string() + " cannot be read: it is a folder; a text file is expected.");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(path.string() + " cannot be read" +
                (errno != 0 ? " (" + std::generic_category().message(errno) + ")." : "."));
  }
  return read_text(file, path.string());
}

std::vector<std::string> read_text_lines(const std::filesystem::path& path) {
  return text_lines(read_text(path), path.string());
}

}  // namespace tpn
