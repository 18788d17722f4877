// The zip archives that torch.save writes: stored entries only, read in place.
//
// Written here rather than taken from libzip: libzip gives no access to where an entry's bytes lie, so that
// mapped tensors would have to be copied through it; and it hides the differences between directory and local
// headers that a hostile file is made of. What torch writes needs no more than the records below. Format:
// APPNOTE.TXT of PKWARE, 4.3 (records), 4.5.3 (zip64).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weights_converter/failure.h"

namespace tpn {

struct ZipEntry {
  std::string_view name;  ///< '/' separated, UTF-8; only ever compared, never used as a path
  std::span<const std::byte> data;
  std::uint32_t crc = 0;
};

class ZipArchive {
 public:
  /// Whether the bytes begin as a zip archive does.
  static bool has_signature(std::span<const std::byte> bytes);

  /// Reads the directory and every local header. Fails with `truncated`, `corrupt_zip` (records that
  /// disagree, ranges out of bounds or overlapping, names that repeat), `unsupported_zip` or `limit`.
  /// Checksums are not looked at. The bytes must outlive the archive.
  static CheckpointResult<ZipArchive> parse(std::span<const std::byte> bytes);

  /// The names of all entries, those that parse() does not support included; none when the directory cannot
  /// be read or an entry is encrypted. They lie in the bytes.
  static std::vector<std::string_view> list_names(std::span<const std::byte> bytes);

  /// In the order of the directory.
  [[nodiscard]] const std::vector<ZipEntry>& entries() const { return entries_; }
  /// nullptr when there is none.
  [[nodiscard]] const ZipEntry* find(std::string_view name) const;
  /// Bytes of the file that follow the archive and are no part of it.
  [[nodiscard]] std::size_t bytes_behind() const { return bytes_behind_; }

 private:
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::size_t bytes_behind_ = 0;
};

/// CRC-32 (as zip has it) of `bytes` after those whose checksum is `crc`.
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t crc = 0);

}  // namespace tpn
