// A folder for files of which nothing shall be left.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "kernels/error.h"

namespace tpn {

/// A new folder where the system keeps temporary files, removed with its owner.
class TemporaryDirectory {
 public:
  /// Throws Error when it cannot be made.
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tpn-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw Error("The folder '" + pattern + "' cannot be made.");
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace tpn
