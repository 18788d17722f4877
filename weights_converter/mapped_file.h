// A file mapped into memory, read-only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace tpn {

class MappedFile {
 public:
  MappedFile() = default;
  /// Throws Error, naming the file and the reason, when it cannot be opened or is not a regular file.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// Tells the system that a part of a mapped file is not needed soon: its whole pages leave this process's
/// resident memory and are read again when touched. Only for parts of a MappedFile.
void release_pages(std::span<const std::byte> part);

}  // namespace tpn
