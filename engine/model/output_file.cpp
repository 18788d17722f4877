#include "engine/model/output_file.h"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tpn {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 18;

/// The temporary files that are there. Whoever makes, names or removes one holds the mutex.
struct Unfinished {
  std::mutex mutex;
  std::set<std::filesystem::path> files;
};

/// Never destroyed: a program may end while a thread still writes.
Unfinished& unfinished() {
  static auto& instance = *new Unfinished;
  return instance;
}

}  // namespace

OutputFile::OutputFile(const std::filesystem::path& path) : OutputFile(path, resolve_output(path)) {}

OutputFile::OutputFile(std::filesystem::path path, const OutputTarget& target)
    : path_(std::move(path)), target_(target) {
  if (target.kind != OutputTarget::Kind::file) fail_to_write(path_, "it exists and is not a regular file");
  buffer_.reserve(buffer_bytes);
  const std::lock_guard lock(unfinished().mutex);
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = folder() / (".tpn-" + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".tmp");
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && (errno != EEXIST || attempt == 1000)) fail_to_write(path_, errno);
  }
  unfinished().files.insert(temporary_);
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  const std::lock_guard lock(unfinished().mutex);
  ::unlink(temporary_.c_str());
  unfinished().files.erase(temporary_);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > buffer_bytes) flush();
  if (bytes.size() >= buffer_bytes) {
    write_through(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void OutputFile::flush() {
  write_through(buffer_);
  buffer_.clear();
}

void OutputFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ::ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_to_write(path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void OutputFile::take_name() {
  if (target_.mode && ::fchmod(descriptor_, *target_.mode) != 0) fail_to_write(path_, errno);
  const std::lock_guard lock(unfinished().mutex);
  if (::rename(temporary_.c_str(), target_.path.c_str()) != 0) fail_to_write(path_, errno);
  unfinished().files.erase(temporary_);
}

void OutputFile::commit() {
  flush();
  // A network file system may report a full disk only when a descriptor is closed.
  const int second = ::dup(descriptor_);
  if (second < 0 || ::close(second) != 0) fail_to_write(path_, errno);
  if (durable_ && ::fsync(descriptor_) != 0) fail_to_write(path_, errno);
  take_name();
  ::close(std::exchange(descriptor_, -1));
  if (!durable_) return;
  // The name is in the folder, which is a file of its own. Not every file system can be told to write it now.
  const int parent = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return;
  ::fsync(parent);
  ::close(parent);
}

int OutputFile::commit_open() {
  flush();
  take_name();
  return std::exchange(descriptor_, -1);
}

void check_output_file(const std::filesystem::path& path) {
  const OutputFile file(path);
}

void discard_unfinished_files() noexcept {
  unfinished().mutex.lock();  // for good
  for (const std::filesystem::path& file : unfinished().files) ::unlink(file.c_str());
}

}  // namespace tpn
