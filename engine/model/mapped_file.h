// A file mapped into memory, read-only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "kernels/error.h"

namespace tpn {

class MappedFile {
 public:
  /// Fails, naming the file and the reason, when it cannot be opened or is not a regular file.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// Empty for an empty file.
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

/// Tells the system that a part of a mapped file is not needed soon: its whole pages leave this process's
/// resident memory and are read again when touched. Only for parts of a MappedFile.
void release_pages(std::span<const std::byte> part);

}  // namespace tpn
