#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "engine/model/file_kind.h"
#include "engine/model/mapped_file.h"
#include "engine/model/safetensors.h"
#include "engine/model/safetensors_header.h"
#include "engine/model/text.h"
#include "kernels/memory.h"

namespace tpn {
namespace {

static_assert(std::endian::native == std::endian::little, "Tensors are used as they lie in the file.");

constexpr std::uint64_t max_header_bytes = 100'000'000;

}  // namespace

struct SafetensorsFile::State {
  MappedFile mapping;  // empty when the bytes belong to someone else
  std::span<const std::byte> bytes;
  std::vector<Entry> entries;
  std::vector<std::uint32_t> by_name;  // indices of entries, ordered by name
  std::map<std::string, std::string> metadata;
  std::mutex mutex;
  std::unordered_map<std::size_t, HostBuffer> aligned;  // copies by offset, made when asked for

  /// The entry's elements on an address that is a multiple of their size.
  const std::byte* elements(const Entry& entry);

  /// Fills everything but the mapping from `bytes`.
  static Result<std::unique_ptr<State>> read(std::span<const std::byte> bytes, const std::string& name);
};

Result<std::unique_ptr<SafetensorsFile::State>> SafetensorsFile::State::read(std::span<const std::byte> bytes,
                                                                             const std::string& name) {
  const auto refuse = [&](const std::string& reason) {
    const auto kind = foreign_kind(bytes);
    if (kind) return Failure{name + " is not a safetensors file: it is " + *kind + "."};
    return Failure{name + " is not a safetensors file that can be used: " + reason + "."};
  };
  if (bytes.empty()) return refuse("it is empty");
  if (bytes.size() < safetensors_length_bytes)
    return refuse("it has " + std::to_string(bytes.size()) + " bytes");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), safetensors_length_bytes);
  if (header_bytes > max_header_bytes) {
    return refuse("its header would have " + std::to_string(header_bytes) + " bytes; at most " +
                  std::to_string(max_header_bytes) + " are accepted");
  }
  if (header_bytes > bytes.size() - safetensors_length_bytes) return refuse("it ends inside its header");
  const std::size_t data_start = safetensors_length_bytes + header_bytes;
  const std::string_view text = as_text(bytes.subspan(safetensors_length_bytes, header_bytes));
  Result<SafetensorsHeader> header = parse_safetensors_header(text, bytes.size() - data_start);
  if (!header.ok()) return refuse(header.failure().message);

  auto state = std::make_unique<State>();
  state->bytes = bytes;
  state->entries = std::move(header->entries);
  state->metadata = std::move(header->metadata);
  for (Entry& entry : state->entries) {
    entry.offset += data_start;
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

const std::byte* SafetensorsFile::State::elements(const Entry& entry) {
  const std::byte* const stored = bytes.data() + entry.offset;
  if (entry.bytes == 0 || reinterpret_cast<std::uintptr_t>(stored) % size_of(entry.dtype) == 0) return stored;
  const std::lock_guard lock(mutex);
  auto copy = aligned.find(entry.offset);
  if (copy == aligned.end()) {
    copy = aligned.emplace(entry.offset, HostBuffer(entry.bytes)).first;
    std::memcpy(copy->second.data(), stored, entry.bytes);
  }
  return copy->second.data();
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  Result<MappedFile> mapping = MappedFile::open(path);
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
  return {state_->elements(entry), entry.dtype, entry.shape};
}

void SafetensorsFile::release(const Entry& entry) const {
  if (!state_->mapping.bytes().empty()) release_pages(state_->bytes.subspan(entry.offset, entry.bytes));
}

}  // namespace tpn
