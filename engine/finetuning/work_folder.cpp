#include "engine/finetuning/work_folder.h"

#include <cerrno>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/model/output_target.h"

namespace tpn {

WorkFolder::WorkFolder(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) fail_to_write(path_, error.value());
  lock_ = ::open((path_ / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) fail_to_write(path_, errno);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    ::close(lock_);
    if (reason == EWOULDBLOCK) fail_to_write(path_, "another run of tpn_finetune works there");
    fail_to_write(path_, reason);
  }
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".tpn-") && name.ends_with(".tmp")) std::filesystem::remove(entry.path(), error);
  }
}

WorkFolder::~WorkFolder() {
  if (lock_ != none) ::close(lock_);
}

std::filesystem::path WorkFolder::of_epoch(std::int64_t epoch) const {
  std::string number = std::to_string(epoch);
  number.insert(0, number.size() < 4 ? 4 - number.size() : 0, '0');
  return path_ / ("epoch_" + number + ".safetensors");
}

}  // namespace tpn
