// Writes zip archives as PyTorch does: stored entries whose data start on 64 bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights_converter/stored_tensor.h"

namespace tpn {

/// Streams: nothing of an entry is kept but its name, size and checksum. Throws Error when an entry reaches
/// 4 GiB, and what the sink throws.
class ZipWriter {
 public:
  /// `position`: where in the file the sink's first byte will stand; offsets in the archive count from the
  /// file's beginning.
  explicit ZipWriter(ByteSink sink, std::uint64_t position = 0)
      : sink_(std::move(sink)), position_(position) {}

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
  void put(std::span<const std::byte> bytes);
  void put(std::string_view text) { put(std::as_bytes(std::span(text))); }

  ByteSink sink_;
  std::uint64_t position_;
  std::vector<Entry> entries_;
  bool open_ = false;
};

}  // namespace tpn
