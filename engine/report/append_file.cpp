#include "engine/report/append_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "engine/model/output_target.h"

namespace tpn {

AppendFile::AppendFile(std::filesystem::path path, Existing existing) : path_(std::move(path)) {
  const int exclusive = existing == Existing::refuse ? O_EXCL : 0;
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | exclusive, 0666);
  if (descriptor_ < 0) fail_to_write(path_, errno);
  size_ = ::lseek(descriptor_, 0, SEEK_END);
  if (size_ < 0) {
    const int error = errno;
    ::close(descriptor_);
    fail_to_write(path_, error);
  }
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::truncate(std::int64_t size) {
  if (::ftruncate(descriptor_, size) != 0) fail_to_write(path_, errno);
  size_ = size;
}

void AppendFile::append(std::string_view bytes) {
  for (std::string_view rest = bytes; !rest.empty();) {
    const ::ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      truncate(size_);  // half a record would make all behind it unreadable
      fail_to_write(path_, error);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += static_cast<std::int64_t>(bytes.size());
}

void AppendFile::cut_unfinished_line() {
  std::array<char, 4096> piece{};
  for (std::int64_t end = size_; end > 0;) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - static_cast<std::int64_t>(piece.size()));
    const ::ssize_t count = ::pread(descriptor_, piece.data(), static_cast<std::size_t>(end - begin), begin);
    if (count < 0 && errno == EINTR) continue;
    if (count != end - begin) fail_to_write(path_, count < 0 ? errno : EIO);
    const std::size_t last = std::string_view(piece.data(), static_cast<std::size_t>(count)).rfind('\n');
    if (last != std::string_view::npos) {
      truncate(begin + static_cast<std::int64_t>(last) + 1);
      return;
    }
    end = begin;
  }
  truncate(0);
}

}  // namespace tpn
