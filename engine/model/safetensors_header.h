// The JSON header of a safetensors file. Internal to reader and writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/safetensors.h"

namespace tpn {

/// A file begins with the length of its header: so many bytes, little-endian.
inline constexpr std::size_t safetensors_length_bytes = 8;

struct SafetensorsHeader {
  std::vector<SafetensorsFile::Entry> entries;  ///< by offset, which counts from the start of the data
  std::map<std::string, std::string> metadata;
};

/// Checks everything but that no name occurs twice. The failure is a clause without the file's name.
Result<SafetensorsHeader> parse_safetensors_header(std::string_view text, std::uint64_t data_bytes);

}  // namespace tpn
