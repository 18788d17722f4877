// A file that only grows: what was appended is there even when the program is killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace tpn {

/// Writes at the end of a file, straight to the system. Every function throws OutputError naming the file
/// when the system refuses.
class AppendFile {
 public:
  enum class Existing {
    refuse,  ///< there must be no such file yet
    extend   ///< goes on behind what a file holds
  };

  AppendFile(std::filesystem::path path, Existing existing);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  /// Appends all of the bytes, or none where they do not fit on the disk.
  void append(std::string_view bytes);

  /// Cuts off what stands behind the last line end: a line that a killed program did not finish.
  void cut_unfinished_line();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void truncate(std::int64_t size);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

}  // namespace tpn
