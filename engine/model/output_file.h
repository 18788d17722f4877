// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tpn {

/// Collects what is written in a temporary file beside `path` and gives it that name in commit(); without
/// commit the temporary file is removed. Every function throws Error naming the file when the system refuses.
class OutputFile {
 public:
  /// Throws also when `path` exists and is not a regular file (a device must not be replaced by a file).
  explicit OutputFile(std::filesystem::path path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

  /// Bytes written so far.
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  void flush();
  void write_through(std::span<const std::byte> bytes);

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::vector<std::byte> buffer_;  // pieces too small to be worth a system call
  std::size_t size_ = 0;
  int descriptor_ = -1;
};

}  // namespace tpn
