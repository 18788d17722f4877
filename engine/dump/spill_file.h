// A file without a name, for what does not fit into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace tpn {

/// Gone when the object is, whatever happens to the program. Functions throw Error naming the folder.
class SpillFile {
 public:
  explicit SpillFile(std::filesystem::path folder);
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  ~SpillFile();

  void write(std::size_t offset, std::span<const std::byte> bytes);
  void read(std::size_t offset, std::span<std::byte> bytes) const;

 private:
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path folder_;
  int descriptor_ = -1;
};

}  // namespace tpn
