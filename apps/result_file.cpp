#include "apps/result_file.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "apps/program.h"

namespace tpn::app {

ResultFile::ResultFile(const std::filesystem::path& path) : name_(path.string()) {
  const OutputTarget target = resolve_output(path);
  switch (target.kind) {
    case OutputTarget::Kind::file:
      beginning_.emplace(path, target);
      return;
    case OutputTarget::Kind::stream:
      descriptor_ = ::open(target.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
      break;
    case OutputTarget::Kind::descriptor:
      descriptor_ = ::fcntl(target.descriptor, F_DUPFD_CLOEXEC, 0);
      break;
  }
  if (descriptor_ < 0) fail_to_write(path, errno);
}

ResultFile::ResultFile(const std::filesystem::path& path, std::uint64_t bytes)
    : name_(path.string()), whole_(bytes) {
  const OutputTarget target = resolve_output(path);
  if (!target.mode) fail_to_write(path, "it is not a regular file");
  descriptor_ = ::open(target.path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) fail_to_write(path, errno);
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) {
    const int error = errno;
    ::close(descriptor_);
    fail_to_write(path, error);
  }
}

ResultFile::~ResultFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ResultFile::write(std::string_view result) {
  const auto whole = uninterrupted();
  if (beginning_) {
    beginning_->write(result);
    descriptor_ = beginning_->commit_open();
    beginning_.reset();
    whole_ = result.size();
    return;
  }
  const int error = write_all(descriptor_ < 0 ? STDOUT_FILENO : descriptor_, result);
  if (error == 0) {
    if (whole_) *whole_ += result.size();
    return;
  }
  if (whole_) static_cast<void>(::ftruncate(descriptor_, static_cast<off_t>(*whole_)));
  fail_to_write(name_, error);
}

void ResultFile::finish() {
  if (beginning_) beginning_->commit();
  beginning_.reset();
}

}  // namespace tpn::app
