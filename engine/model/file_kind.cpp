#include "engine/model/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "engine/model/text.h"

namespace tpn {
namespace {

using namespace std::string_view_literals;

struct MagicBytes {
  std::size_t offset;
  std::string_view bytes;
  std::string_view kind;
};

constexpr std::array signatures{
    MagicBytes{0, "version https://git-lfs"sv,
               "a pointer of Git LFS in place of the file; \"git lfs pull\" fetches it"},
    MagicBytes{0, "\x1f\x8b"sv, "compressed with gzip; unpack it first"},
    MagicBytes{0, "BZh"sv, "compressed with bzip2; unpack it first"},
    MagicBytes{0,
               "\xfd"
               "7zXZ"sv,
               "compressed with xz; unpack it first"},
    MagicBytes{0, "\x28\xb5\x2f\xfd"sv, "compressed with zstd; unpack it first"},
    MagicBytes{0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive; unpack it first"},
    MagicBytes{0, "Rar!\x1a\x07"sv, "a RAR archive; unpack it first"},
    MagicBytes{257, "ustar"sv, "a tar archive; unpack it first"},
    MagicBytes{0, "PK\x03\x04"sv,
               "a zip archive, such as torch.save writes; tpn_convert makes a model of a checkpoint"},
    MagicBytes{0, "PK\x07\x08"sv, "the first part of a split zip archive; join the parts first"},
    MagicBytes{0, "PK00PK\x03\x04"sv, "the first part of a split zip archive; join the parts first"},
    MagicBytes{0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras and TensorFlow write; PyTorch's are needed"},
    MagicBytes{0, "\x93NUMPY"sv, "a NumPy array"},
    MagicBytes{4, "TFL3"sv, "a TensorFlow Lite model"},
    MagicBytes{0, "GGUF"sv, "a GGUF model"},
    MagicBytes{0, "%PDF-"sv, "a PDF document"},
    MagicBytes{0,
               "\x7f"
               "ELF"sv,
               "a program or a shared library"},
    MagicBytes{4, "ftyp"sv, "a video"},
    MagicBytes{0, "\x1a\x45\xdf\xa3"sv, "a video"},
    MagicBytes{0, "\xff\xd8\xff"sv, "an image"},
    MagicBytes{0, "\x89PNG"sv, "an image"},
};

constexpr std::string_view leveldb_end = "\x57\xfb\x80\x8b\x24\x75\x47\xdb"sv;  // of TensorFlow's .index

/// In lower case and without white space and byte order mark before it, as far as a look needs.
std::string beginning(std::string_view text) {
  constexpr std::size_t looked_at = 256;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  std::string start(text.substr(0, looked_at));
  std::ranges::transform(start, start.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return start;
}

/// The version of the format (a varint below 16), then the exporter's name.
bool is_onnx(std::string_view file) {
  if (file.size() < 8 || file[0] != '\x08' || file[1] < 1 || file[1] > 16 || file[2] != '\x12') return false;
  const std::string_view producer = file.substr(4, static_cast<unsigned char>(file[3]));
  return !producer.empty() && producer.size() < 64 &&
         std::ranges::all_of(producer, [](unsigned char c) { return std::isprint(c) != 0; });
}

}  // namespace

std::optional<std::string> foreign_kind(std::span<const std::byte> bytes) {
  const std::string_view file = as_text(bytes);
  for (const MagicBytes& signature : signatures) {
    if (file.size() >= signature.offset && file.substr(signature.offset).starts_with(signature.bytes)) {
      return std::string(signature.kind);
    }
  }
  const std::string start = beginning(file);
  if (start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head")) {
    return "a web page (HTML), such as a login or error page saved in place of the file; download it again";
  }
  if (start.starts_with("<?xml") || start.starts_with("<error")) {
    return "an XML document, such as a server's error message saved in place of the file; download it again";
  }
  if (start.starts_with("{\"") || start.starts_with("{\n") || start.starts_with("[")) {
    return "JSON text, such as a configuration or a server's error message";
  }
  if (is_onnx(file)) return "an ONNX model; the PyTorch checkpoint that it was exported from is needed";
  if (file.ends_with(leveldb_end)) return "the index of a TensorFlow checkpoint; PyTorch's are needed";
  if (file.size() >= 2 && file[0] == '\x80' && file[1] >= 2 && file[1] <= 5) {
    return "a Python pickle";
  }
  return std::nullopt;
}

bool has_safetensors_signature(std::span<const std::byte> bytes) {
  constexpr std::uint64_t largest_header = 100'000'000;
  std::uint64_t header = 0;
  const std::string_view file = as_text(bytes);
  if (file.size() < sizeof(header) + 2) return false;
  std::memcpy(&header, file.data(), sizeof(header));
  return header >= 2 && header <= largest_header && file[8] == '{' && (file[9] == '"' || file[9] == '}');
}

}  // namespace tpn
