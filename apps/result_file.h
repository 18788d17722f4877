// Where results are written, each as soon as it is there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "engine/model/output_file.h"
#include "kernels/error.h"

namespace tpn::app {

/// Does something with an output before any work: that it cannot be written is a wrong option then.
template <class Do>
auto before_work(const Do& action) {
  try {
    return action();
  } catch (const OutputError& error) {
    throw OptionError(error.what());
  }
}

/// What write() was given is in the file when it returns, and never a part of it: after a failure the file
/// ends with the last whole result. Functions throw OutputError.
class ResultFile {
 public:
  /// Standard output.
  ResultFile() = default;
  /// What `path` names. A regular file that is there is replaced when the first result is written, or by
  /// finish(); from then on it grows. Devices, FIFOs and files that are open already (/dev/stdout) are
  /// written to.
  explicit ResultFile(const std::filesystem::path& path);
  /// Goes on behind the first `bytes` of a file; what follows them is dropped.
  ResultFile(const std::filesystem::path& path, std::uint64_t bytes);
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;
  ~ResultFile();

  void write(std::string_view result);
  void finish();

 private:
  std::string name_ = "Standard output";
  std::optional<OutputFile> beginning_;  ///< before the first result
  int descriptor_ = -1;                  ///< -1: standard output
  std::optional<std::uint64_t> whole_;   ///< bytes of whole results; of regular files
};

}  // namespace tpn::app
