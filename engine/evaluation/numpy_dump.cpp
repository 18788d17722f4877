#include "engine/evaluation/numpy_dump.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <regex>

#include "engine/model/mapped_file.h"
#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t alignment = 64;  // of the elements, as NumPy writes them
constexpr std::size_t longest_header = 4096;

struct Layout {
  std::size_t rows;
  std::size_t columns;
  bool doubles;
};

/// What the header's dictionary says. NumPy writes it in one way, others may write it in another order.
Layout parse_header(const std::string& header, const std::string& name) {
  const auto value_of = [&](const std::string& key, const std::string& pattern) {
    std::smatch match;
    if (std::regex_search(header, match, std::regex("'" + key + "': *" + pattern))) return match;
    throw Error(name + ": the array is none of scores: its " + key +
                " is not that of (videos, classes) floats.");
  };
  const std::string type = value_of("descr", "'(<f[48])'")[1];
  static_cast<void>(value_of("fortran_order", "(False)"));
  const std::smatch shape = value_of("shape", "\\(([1-9][0-9]{0,8}), *([1-9][0-9]{0,8})\\)");
  return {std::stoul(shape[1]), std::stoul(shape[2]), type == "<f8"};
}

float element(Bytes elements, std::size_t index, bool doubles) {
  if (doubles) {
    double value = 0;
    std::memcpy(&value, elements.data() + index * sizeof value, sizeof value);
    return static_cast<float>(value);
  }
  float value = 0;
  std::memcpy(&value, elements.data() + index * sizeof value, sizeof value);
  return value;
}

}  // namespace

NumpyDump::NumpyDump(const std::filesystem::path& path, const EvaluationRun& run)
    : file_(path), classes_(run.classes.size()) {
  const std::size_t rows = run.shard.size(run.entries);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(classes_) + "), }";
  const std::size_t before = magic.size() + 4;  // the magic, the version and the header's length
  header.append(alignment - 1 - (before + header.size()) % alignment, ' ');
  header += '\n';
  const char length[] = {1, 0, static_cast<char>(header.size() & 0xffU),
                         static_cast<char>(header.size() >> 8U)};
  file_.write(std::string(magic) + std::string(length, sizeof length) + header);
}

void NumpyDump::add(const EvaluatedVideo& video) {
  std::vector<float> missing;
  if (!video.readable()) missing.assign(classes_, std::numeric_limits<float>::quiet_NaN());
  const std::vector<float>& row = video.readable() ? video.scores : missing;
  file_.write(std::as_bytes(std::span(row)));
}

ScoreTable read_numpy_dump(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path).value_or_throw();
  return parse_numpy_dump(file.bytes(), path.string());
}

ScoreTable parse_numpy_dump(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view text = as_text(bytes);
  if (text.size() < magic.size() + 4 || !text.starts_with(magic))
    throw Error(name + ": it is no array of NumPy.");
  const bool old = text[magic.size()] == 1;  // later versions count the header in four bytes
  const std::size_t begin = magic.size() + (old ? 4 : 6);
  std::size_t length = 0;
  for (std::size_t i = std::min(begin, text.size()); i > magic.size() + 2; --i) {  // little-endian
    length = length << 8U | static_cast<unsigned char>(text[i - 1]);
  }
  if (length > longest_header) throw Error(name + ": the array's header is too long.");
  if (begin > text.size() || length > text.size() - begin) throw Error(name + ": the array ends early.");
  const Layout layout = parse_header(std::string(text.substr(begin, length)), name);
  const Bytes elements = bytes.subspan(begin + length);
  const std::size_t width = layout.doubles ? sizeof(double) : sizeof(float);
  if (elements.size() / width < layout.rows * layout.columns) throw Error(name + ": the array ends early.");
  ScoreTable table{name, {}, false, false};
  for (std::size_t row = 0; row < layout.rows; ++row) {
    EvaluatedVideo& video = table.videos.emplace_back();
    video.entry = row;
    video.origin = name + ", row " + std::to_string(row);
    for (std::size_t k = 0; k < layout.columns; ++k) {
      video.scores.push_back(element(elements, row * layout.columns + k, layout.doubles));
    }
    if (std::isnan(video.scores.at(0))) {
      video.scores.clear();
      video.error = video.origin + ": it has no scores.";
    }
  }
  return table;
}

}  // namespace tpn
