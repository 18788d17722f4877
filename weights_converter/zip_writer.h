// Writes zip archives as PyTorch does: stored entries whose data start on 64 bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/output_file.h"

namespace tpn {

/// Streams: nothing of an entry is kept but its name, size and checksum. Throws Error when the file cannot be
/// written or an entry reaches 4 GiB.
class ZipWriter {
 public:
  explicit ZipWriter(OutputFile& file) : file_(file) {}

  /// Begins an entry and ends the one before.
  void begin_entry(const std::string& name);
  /// The next bytes of the entry.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Writes the directory; nothing may follow.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t offset = 0;  ///< of the local header
    std::uint64_t size = 0;
    std::uint32_t crc = 0;
  };

  void end_entry();

  OutputFile& file_;
  std::vector<Entry> entries_;
  bool open_ = false;
};

}  // namespace tpn
