// Writes small pickles, zip archives and checkpoints by hand, right or wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weights_converter/zip_archive.h"

namespace tpn::test {

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// A number of 64 bits as `width` bytes, little-endian.
inline std::string le(std::uint64_t value, std::size_t width) {
  std::string bytes;
  for (std::size_t i = 0; i < width; ++i) bytes += static_cast<char>(i < 8 ? value >> (8 * i) & 0xff : 0);
  return bytes;
}

// ---- pickle values, protocol 2

inline std::string text(const std::string& s) {
  return "X" + le(s.size(), 4) + s;
}
inline std::string number(std::int64_t n) {
  return "\x8a\x08" + le(static_cast<std::uint64_t>(n), 8);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string all = "(";
  for (const std::string& item : items) all += item;
  return all + "t";
}
inline std::string numbers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  items.reserve(values.size());
  for (const std::int64_t n : values) items.push_back(number(n));
  return tuple(items);
}
inline std::string call(const std::string& function, const std::vector<std::string>& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string dictionary(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string all = "}(";
  for (const auto& [key, value] : items) all += text(key) + value;
  return all + "u";
}
inline std::string storage(const std::string& type, const std::string& key, std::int64_t count) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), number(count)}) + "Q";
}
inline std::string tensor(const std::string& stored, std::int64_t offset,
                          const std::vector<std::int64_t>& size, const std::vector<std::int64_t>& stride) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {stored, number(offset), numbers(size), numbers(stride), "\x89", "}"});
}
/// A stream of that one value.
inline std::string program(const std::string& value) {
  return "\x80\x02" + value + ".";
}

// ---- zip archives, laid out as torch writes them: stored, with sizes behind the data, aligned to 64 bytes

struct ZipInput {
  std::string name;
  std::string data;
  std::uint16_t method = 0;
  std::uint16_t flags = 0x808;
};

inline std::string zip(const std::vector<ZipInput>& entries) {
  std::string file;
  std::string directory;
  for (const ZipInput& entry : entries) {
    const std::size_t offset = file.size();
    const std::uint64_t crc = crc32_of(as_bytes(entry.data));
    const std::size_t padding = (64 - (offset + 34 + entry.name.size()) % 64) % 64;
    file += "PK\x03\x04" + le(0, 2) + le(entry.flags, 2) + le(entry.method, 2) + le(0, 16) +
            le(entry.name.size(), 2) + le(4 + padding, 2) + entry.name + "FB" + le(padding, 2) +
            std::string(padding, 'Z') + entry.data;
    const std::string sizes = le(crc, 4) + le(entry.data.size(), 4) + le(entry.data.size(), 4);
    file += "PK\x07\x08" + sizes;
    directory += "PK\x01\x02" + le(0, 4) + le(entry.flags, 2) + le(entry.method, 2) + le(0, 4) + sizes +
                 le(entry.name.size(), 2) + le(0, 12) + le(offset, 4) + entry.name;
  }
  const std::string end = "PK\x05\x06" + le(0, 4) + le(entries.size(), 2) + le(entries.size(), 2) +
                          le(directory.size(), 4) + le(file.size(), 4) + le(0, 2);
  return file + directory + end;
}

/// A checkpoint that torch.save could have written.
inline std::string checkpoint(const std::string& value,
                              const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<ZipInput> entries{{"archive/data.pkl", program(value)}};
  for (const auto& [key, data] : storages) entries.push_back({"archive/data/" + key, data});
  entries.push_back({"archive/version", "3\n"});
  return zip(entries);
}

}  // namespace tpn::test
