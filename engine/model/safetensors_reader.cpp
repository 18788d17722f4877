#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/model/safetensors.h"
#include "engine/model/safetensors_header.h"

namespace tpn {
namespace {

static_assert(std::endian::native == std::endian::little, "Tensors are used as they lie in the file.");

constexpr std::uint64_t max_header_bytes = 100'000'000;
constexpr std::size_t length_bytes = 8;

/// A whole file mapped read-only.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* address, std::size_t bytes) : address_(address), bytes_(bytes) {}
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping() {
    if (address_ != nullptr) ::munmap(address_, bytes_);
  }

  [[nodiscard]] bool empty() const { return address_ == nullptr; }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(address_), bytes_};
  }

 private:
  void* address_ = nullptr;
  std::size_t bytes_ = 0;
};

Result<Mapping> map_file(const std::filesystem::path& path) {
  const auto refuse = [&](const std::string& reason) {
    return Failure{path.string() + " cannot be read: " + reason};
  };
  const auto system_error = [&] { return refuse(std::generic_category().message(errno) + "."); };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hang it
  if (descriptor < 0) return system_error();
  struct ::stat status {};
  Result<Mapping> result = Mapping();
  if (::fstat(descriptor, &status) != 0) {
    result = system_error();
  } else if (!S_ISREG(status.st_mode)) {
    result = refuse("it is not a regular file.");
  } else if (status.st_size > 0) {
    const auto bytes = static_cast<std::size_t>(status.st_size);
    void* address = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    result = address == MAP_FAILED ? Result<Mapping>(system_error()) : Mapping(address, bytes);
  }
  ::close(descriptor);
  return result;
}

}  // namespace

struct SafetensorsFile::State {
  Mapping mapping;  // empty when the bytes belong to someone else
  std::span<const std::byte> bytes;
  std::vector<Entry> entries;
  std::vector<std::uint32_t> by_name;  // indices of entries, ordered by name
  std::map<std::string, std::string> metadata;

  /// Fills everything but the mapping from `bytes`.
  static Result<std::unique_ptr<State>> read(std::span<const std::byte> bytes, const std::string& name);
};

Result<std::unique_ptr<SafetensorsFile::State>> SafetensorsFile::State::read(std::span<const std::byte> bytes,
                                                                             const std::string& name) {
  const auto refuse = [&](const std::string& reason) {
    return Failure{name + " is not a safetensors file that can be used: " + reason + "."};
  };
  if (bytes.size() < length_bytes) return refuse("it has " + std::to_string(bytes.size()) + " bytes");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), length_bytes);
  if (header_bytes > max_header_bytes) {
    return refuse("its header would have " + std::to_string(header_bytes) + " bytes; at most " +
                  std::to_string(max_header_bytes) + " are accepted");
  }
  if (header_bytes > bytes.size() - length_bytes) return refuse("it ends inside its header");
  const std::size_t data_start = length_bytes + header_bytes;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + length_bytes, header_bytes);
  Result<SafetensorsHeader> header = parse_safetensors_header(text, bytes.size() - data_start);
  if (!header.ok()) return refuse(header.failure().message);

  auto state = std::make_unique<State>();
  state->bytes = bytes;
  state->entries = std::move(header->entries);
  state->metadata = std::move(header->metadata);
  for (Entry& entry : state->entries) {
    entry.offset += data_start;
    if (entry.bytes > 0 && entry.offset % size_of(entry.dtype) != 0) {
      return refuse("tensor \"" + entry.name + "\" begins at byte " + std::to_string(entry.offset) +
                    ", which is not a multiple of its element size");
    }
    state->by_name.push_back(static_cast<std::uint32_t>(state->by_name.size()));
  }
  const auto name_of_index = [&](std::uint32_t index) -> const std::string& {
    return state->entries[index].name;
  };
  std::ranges::sort(state->by_name, {}, name_of_index);
  const auto twin = std::ranges::adjacent_find(state->by_name, {}, name_of_index);
  if (twin != state->by_name.end()) return refuse("tensor \"" + name_of_index(*twin) + "\" occurs twice");
  return state;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  Result<Mapping> mapping = map_file(path);
  if (!mapping.ok()) return mapping.failure();
  Result<std::unique_ptr<State>> state = State::read(mapping->bytes(), path.string());
  if (!state.ok()) return state.failure();
  (*state)->mapping = std::move(*mapping);
  return SafetensorsFile(std::move(*state));
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  Result<std::unique_ptr<State>> state = State::read(bytes, name);
  if (!state.ok()) return state.failure();
  return SafetensorsFile(std::move(*state));
}

SafetensorsFile::SafetensorsFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;
SafetensorsFile::~SafetensorsFile() = default;

const std::vector<SafetensorsFile::Entry>& SafetensorsFile::entries() const {
  return state_->entries;
}

const SafetensorsFile::Entry* SafetensorsFile::find(std::string_view name) const {
  const auto name_of_index = [&](std::uint32_t index) -> std::string_view {
    return state_->entries[index].name;
  };
  const auto found = std::ranges::lower_bound(state_->by_name, name, {}, name_of_index);
  return found != state_->by_name.end() && name_of_index(*found) == name ? &state_->entries[*found] : nullptr;
}

const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return state_->metadata;
}

ConstTensorView SafetensorsFile::view(const Entry& entry) const {
  return {state_->bytes.data() + entry.offset, entry.dtype, entry.shape};
}

void SafetensorsFile::release(const Entry& entry) const {
  if (state_->mapping.empty()) return;
  // Only pages that lie wholly inside the tensor: a page at its edge holds a neighbour's data too, and advice
  // for it would only cost that neighbour a page fault, but at most one page per edge is kept by leaving it
  // alone.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = (entry.offset + page - 1) / page * page;
  const std::size_t end = (entry.offset + entry.bytes) / page * page;
  if (begin >= end) return;
  const std::byte* address = state_->mapping.bytes().data() + begin;
  // Advice: a refusal changes nothing but memory use.
  ::madvise(const_cast<std::byte*>(address), end - begin,
            MADV_DONTNEED);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

}  // namespace tpn
