// What stands behind the name of an output.
#pragma once

#include <filesystem>
#include <optional>

#include <sys/types.h>

#include "kernels/error.h"

namespace tpn {

/// The system, or what is already there, does not let a file be written.
class OutputError : public Error {
 public:
  using Error::Error;
};

/// Says that `path` cannot be written, and why. Never returns.
[[noreturn]] void fail_to_write(const std::filesystem::path& path, const std::string& reason);
/// The same, for a number of errno.
[[noreturn]] void fail_to_write(const std::filesystem::path& path, int error);

struct OutputTarget {
  enum class Kind {
    file,       ///< a regular file, which need not exist yet: a new one can take its place
    stream,     ///< a character device or a FIFO
    descriptor  ///< a file that this process has open, as /dev/stdout and /dev/fd/N name it
  };
  Kind kind = Kind::file;
  std::filesystem::path path{};  ///< with all symbolic links followed
  std::optional<mode_t> mode{};  ///< of the regular file that is there
  int descriptor = -1;           ///< of an open file
};

/// Follows symbolic links to what would be written. Throws OutputError for what must not be: a folder, a
/// block device, a socket, a file that other hard links name too or that may not be written, an open file of
/// another process, a name in a folder that is not there.
OutputTarget resolve_output(const std::filesystem::path& name);

}  // namespace tpn
