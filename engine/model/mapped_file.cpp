#include "engine/model/mapped_file.h"

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tpn {
namespace {

/// Closes on destruction.
class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path)
      : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}  // a FIFO must not block us
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const auto refuse = [&](const std::string& reason) {
    return Failure{path.string() + " cannot be read: " + reason + "."};
  };
  const auto system_error = [&] { return refuse(std::generic_category().message(errno)); };
  const Descriptor file(path);
  if (file.get() < 0) return system_error();
  struct ::stat status = {};
  if (::fstat(file.get(), &status) != 0) return system_error();
  if (S_ISDIR(status.st_mode)) return refuse("it is a folder");
  if (!S_ISREG(status.st_mode)) return refuse("it is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return MappedFile();  // mmap refuses an empty range
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) return system_error();
  return MappedFile({static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void release_pages(std::span<const std::byte> part) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t first = (begin + page - 1) / page * page;
  const std::uintptr_t last = (begin + part.size()) / page * page;
  if (first >= last) return;
  auto* const address = const_cast<std::byte*>(part.data()) + (first - begin);
  // Advice only: where it is refused, the pages merely stay.
  static_cast<void>(::madvise(address, last - first, MADV_DONTNEED));
}

}  // namespace tpn
