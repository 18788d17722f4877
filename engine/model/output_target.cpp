#include "engine/model/output_target.h"

#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace tpn {
namespace {

namespace fs = std::filesystem;

bool is_on_procfs(const fs::path& folder) {
  struct statfs system = {};
  return ::statfs(folder.c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

/// A link in /proc/PID/fd leads to an open file, not to a name: that file may have none, or another by now.
OutputTarget open_file(const fs::path& name, const fs::path& link) {
  std::error_code error;
  OutputTarget target{.kind = OutputTarget::Kind::descriptor, .path = link};
  const std::string number = link.filename();
  const auto [end, parsed] = std::from_chars(number.data(), number.data() + number.size(), target.descriptor);
  const fs::path own = fs::canonical("/proc/self/fd", error);
  const bool ours = !error && link.parent_path() == own && parsed == std::errc{} && *end == '\0';
  const int flags = ours ? ::fcntl(target.descriptor, F_GETFL) : -1;
  if (flags < 0) fail_to_write(name, "it stands for an open file of another process");
  if ((flags & O_ACCMODE) == O_RDONLY)
    fail_to_write(name, "it stands for a file that is open for reading only");
  return target;
}

OutputTarget existing(const fs::path& name, const fs::path& path, const struct stat& status) {
  OutputTarget target{.path = path};
  if (S_ISDIR(status.st_mode)) fail_to_write(name, "it is a folder, not a regular file");
  if (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)) {
    target.kind = OutputTarget::Kind::stream;
  } else if (!S_ISREG(status.st_mode)) {
    fail_to_write(name, "it exists and is not a regular file");
  } else if (status.st_nlink > 1) {
    fail_to_write(name, "the file has " + std::to_string(status.st_nlink) +
                            " names (hard links), of which one would be left with the old contents");
  } else {
    target.mode = status.st_mode & 07777U;
  }
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) fail_to_write(name, errno);
  return target;
}

}  // namespace

void fail_to_write(const fs::path& path, const std::string& reason) {
  throw OutputError(path.string() + " cannot be written: " + reason + ".");
}

void fail_to_write(const fs::path& path, int error) {
  fail_to_write(path, std::generic_category().message(error));
}

OutputTarget resolve_output(const fs::path& name) {
  constexpr int most_links = 40;  // as many as the kernel follows
  if (name.empty()) throw OutputError("The name of a file to be written is empty.");
  fs::path path = name;
  for (int link = 0; link < most_links; ++link) {
    if (!path.has_filename()) path /= ".";  // "folder/"
    std::error_code error;
    const fs::path folder = fs::canonical(path.has_parent_path() ? path.parent_path() : ".", error);
    if (error) {
      fail_to_write(
          name, "its folder " + path.parent_path().string() + " cannot be used (" + error.message() + ")");
    }
    path = folder / path.filename();
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) {
      if (errno == ENOENT) return {.path = path};
      fail_to_write(name, errno);
    }
    if (!S_ISLNK(status.st_mode)) return existing(name, path, status);
    if (is_on_procfs(folder) && folder.filename() == "fd") return open_file(name, path);
    const fs::path to = fs::read_symlink(path, error);
    if (error) fail_to_write(name, error.message());
    path = folder / to;  // an absolute one replaces the folder
  }
  fail_to_write(name, ELOOP);
}

}  // namespace tpn
