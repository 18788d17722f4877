// A folder for a test's files, removed with them.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "engine/model/temporary_directory.h"

namespace tpn::test {

class TemporaryDirectory : public tpn::TemporaryDirectory {
 public:
  /// Writes a file of the folder and returns its path.
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::filesystem::path file = path() / name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }

  /// How many files and folders it holds.
  [[nodiscard]] std::ptrdiff_t entry_count() const {
    return std::distance(std::filesystem::directory_iterator(path()), std::filesystem::directory_iterator());
  }
};

/// The whole contents of a file.
inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace tpn::test
