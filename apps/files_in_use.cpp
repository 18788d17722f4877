#include "apps/files_in_use.h"

#include <sys/stat.h>
#include <unistd.h>

#include "engine/model/output_target.h"
#include "kernels/error.h"

namespace tpn::app {
namespace {

bool same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

void FilesInUse::reads(const std::filesystem::path& path, const std::string& what) {
  read_.push_back({path, what});
}

void FilesInUse::writes(const std::filesystem::path& path, const std::string& output) {
  // Before resolve_output(), which refuses a second hard link for another reason.
  struct stat status = {}, other = {};
  const bool is_there = ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  for (const File& file : read_) {
    if (is_there && ::stat(file.path.c_str(), &other) == 0 && same(status, other)) {
      throw OptionError(output + " is the " + file.what + " itself; name another file.");
    }
  }
  const OutputTarget target = resolve_output(path);
  struct stat folder = {};
  if (is_there && ::stat(target.path.parent_path().c_str(), &folder) == 0) {
    for (const File& file : read_) {
      if (::stat(file.path.c_str(), &other) != 0 || !same(folder, other)) continue;
      throw OptionError(output + " is a file of the " + file.what + " " + file.path.string() +
                        "; name another file.");
    }
  }
  for (const File& file : written_) {
    if (target.kind == OutputTarget::Kind::file && file.path == target.path) {
      throw OptionError(output + " is written by " + file.what + " too; name another file.");
    }
  }
  written_.push_back({target.path, output});
}

void FilesInUse::writes_standard_output() const {
  struct stat status = {}, other = {};
  if (::fstat(STDOUT_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) return;
  for (const File& file : read_) {
    if (::stat(file.path.c_str(), &other) == 0 && same(status, other)) {
      throw OptionError("Standard output is the " + file.what + " " + file.path.string() +
                        " itself; redirect it to another file.");
    }
  }
}

}  // namespace tpn::app
