#include "weights_converter/zip_archive.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <zlib.h>

#include "engine/model/text.h"
#include "weights_converter/little_endian.h"

namespace tpn {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint32_t central_signature = 0x02014b50;
constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::uint32_t zip64_end_signature = 0x06064b50;
constexpr std::uint32_t zip64_locator_signature = 0x07064b50;

constexpr std::size_t local_bytes = 30;
constexpr std::size_t central_bytes = 46;
constexpr std::size_t end_bytes = 22;
constexpr std::size_t zip64_end_bytes = 56;
constexpr std::size_t zip64_locator_bytes = 20;

constexpr std::uint16_t in_zip64_16 = 0xffff;  // "the value stands in the zip64 record"
constexpr std::uint32_t in_zip64_32 = 0xffffffff;
constexpr std::uint16_t zip64_extra = 1;
constexpr std::uint16_t flag_encrypted = 1;
constexpr std::uint16_t flag_sizes_follow = 8;
constexpr std::uint16_t method_stored = 0;

constexpr std::uint64_t most_entries = 1U << 18;

CheckpointFailure corrupt(const std::string& what) {
  return {CheckpointError::corrupt_zip, "The zip archive is damaged: " + what + "."};
}

CheckpointFailure unsupported(const std::string& what) {
  return {CheckpointError::unsupported_zip,
          "The zip archive " + what + "; torch.save writes single, stored, unencrypted archives."};
}

std::string_view text_at(Bytes bytes, std::size_t offset, std::size_t length) {
  return as_text(bytes.subspan(offset, length));
}

/// Where the directory lies.
struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
  std::uint64_t limit = 0;  ///< where the end records begin
  std::uint64_t end = 0;    ///< where they end, with the comment
};

/// What the directory says of an entry.
struct CentralRecord {
  std::string_view name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint16_t disk = 0;  ///< that the entry begins on
  std::uint32_t crc = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;  ///< of the local header
};

/// Whether an end record stands there whose comment and directory lie within the file.
bool is_end_record(Bytes bytes, std::size_t at) {
  if (little_endian<std::uint32_t>(bytes, at) != end_signature) return false;
  if (little_endian<std::uint16_t>(bytes, at + 20) > bytes.size() - at - end_bytes) return false;
  const auto size = little_endian<std::uint32_t>(bytes, at + 12);
  const auto offset = little_endian<std::uint32_t>(bytes, at + 16);
  return size == in_zip64_32 || offset == in_zip64_32 || std::uint64_t{size} + offset <= at;
}

/// The end record stands last but for a comment, which may hold its signature too; or, as PyTorch and unzip
/// accept it, with other bytes behind.
std::optional<std::size_t> find_end_record(Bytes bytes) {
  constexpr std::size_t max_comment = 0xffff;
  constexpr std::size_t max_behind = std::size_t{1} << 20;
  if (bytes.size() < end_bytes) return std::nullopt;
  const std::size_t last = bytes.size() - end_bytes;
  for (std::size_t comment = 0; comment <= std::min(max_comment, last); ++comment) {
    const std::size_t at = last - comment;
    if (little_endian<std::uint32_t>(bytes, at) == end_signature &&
        little_endian<std::uint16_t>(bytes, at + 20) == comment) {
      return at;
    }
  }
  for (std::size_t behind = 0; behind <= std::min(max_behind, last); ++behind) {
    if (is_end_record(bytes, last - behind)) return last - behind;
  }
  return std::nullopt;
}

CheckpointResult<Directory> find_directory(Bytes bytes) {
  const auto end = find_end_record(bytes);
  if (!end) {
    return CheckpointFailure(
        CheckpointError::truncated,
        "The zip archive has no end record: the file is cut short or still being written.");
  }
  const std::size_t archive_end = *end + end_bytes + little_endian<std::uint16_t>(bytes, *end + 20);
  const auto disk = little_endian<std::uint16_t>(bytes, *end + 4);
  const auto directory_disk = little_endian<std::uint16_t>(bytes, *end + 6);
  const auto disk_count = little_endian<std::uint16_t>(bytes, *end + 8);
  const auto count = little_endian<std::uint16_t>(bytes, *end + 10);
  const auto size = little_endian<std::uint32_t>(bytes, *end + 12);
  const auto offset = little_endian<std::uint32_t>(bytes, *end + 16);
  const bool has_locator =
      *end >= zip64_locator_bytes &&
      little_endian<std::uint32_t>(bytes, *end - zip64_locator_bytes) == zip64_locator_signature;
  if (!has_locator) {
    if (disk != 0 || directory_disk != 0 || disk_count != count) return unsupported("spans several disks");
    return Directory{offset, size, count, *end, archive_end};
  }

  const std::size_t locator = *end - zip64_locator_bytes;
  const auto at = little_endian<std::uint64_t>(bytes, locator + 8);
  if (locator < zip64_end_bytes || at > locator - zip64_end_bytes ||
      little_endian<std::uint32_t>(bytes, at) != zip64_end_signature) {
    return corrupt("the zip64 end record is not where its locator says");
  }
  const Directory directory{little_endian<std::uint64_t>(bytes, at + 48),
                            little_endian<std::uint64_t>(bytes, at + 40),
                            little_endian<std::uint64_t>(bytes, at + 32), at, archive_end};
  const bool one_disk = little_endian<std::uint32_t>(bytes, locator + 4) == 0 &&
                        little_endian<std::uint32_t>(bytes, locator + 16) <= 1 &&
                        little_endian<std::uint32_t>(bytes, at + 16) == 0 &&
                        little_endian<std::uint32_t>(bytes, at + 20) == 0 &&
                        little_endian<std::uint64_t>(bytes, at + 24) == directory.count &&
                        (disk == 0 || disk == in_zip64_16) &&
                        (directory_disk == 0 || directory_disk == in_zip64_16);
  if (!one_disk) return unsupported("spans several disks");
  if ((count != in_zip64_16 && count != directory.count) || (size != in_zip64_32 && size != directory.size) ||
      (offset != in_zip64_32 && offset != directory.offset)) {
    return corrupt("its two end records disagree");
  }
  return directory;
}

/// Takes the values that do not fit 32 bits from the zip64 extra field, in the order that the format fixes.
bool read_zip64_extra(Bytes extra, CentralRecord& record) {
  while (extra.size() >= 4) {
    const auto id = little_endian<std::uint16_t>(extra, 0);
    const std::size_t length = little_endian<std::uint16_t>(extra, 2);
    if (length > extra.size() - 4) return false;
    Bytes field = extra.subspan(4, length);
    extra = extra.subspan(4 + length);
    if (id != zip64_extra) continue;
    for (std::uint64_t* const value : {&record.size, &record.packed_size, &record.offset}) {
      if (*value != in_zip64_32) continue;
      if (field.size() < sizeof(std::uint64_t)) return false;
      *value = little_endian<std::uint64_t>(field, 0);
      field = field.subspan(sizeof(std::uint64_t));
    }
    return true;
  }
  return true;
}

/// Reads the record that `directory` starts with and removes it from there.
CheckpointResult<CentralRecord> read_central_record(Bytes& directory) {
  if (directory.size() < central_bytes || little_endian<std::uint32_t>(directory, 0) != central_signature) {
    return corrupt("the directory has fewer entries than announced");
  }
  const std::size_t name_length = little_endian<std::uint16_t>(directory, 28);
  const std::size_t extra_length = little_endian<std::uint16_t>(directory, 30);
  const std::size_t comment_length = little_endian<std::uint16_t>(directory, 32);
  const std::size_t length = central_bytes + name_length + extra_length + comment_length;
  if (length > directory.size()) return corrupt("an entry runs past the directory");

  CentralRecord record;
  record.name = text_at(directory, central_bytes, name_length);
  record.flags = little_endian<std::uint16_t>(directory, 8);
  record.method = little_endian<std::uint16_t>(directory, 10);
  record.crc = little_endian<std::uint32_t>(directory, 16);
  record.packed_size = little_endian<std::uint32_t>(directory, 20);
  record.size = little_endian<std::uint32_t>(directory, 24);
  record.disk = little_endian<std::uint16_t>(directory, 34);
  record.offset = little_endian<std::uint32_t>(directory, 42);
  if (!read_zip64_extra(directory.subspan(central_bytes + name_length, extra_length), record)) {
    return corrupt("the extra field of " + in_quotes(record.name) + " is too short");
  }
  directory = directory.subspan(length);
  return record;
}

/// Why the entry is not one that can be read in place.
std::optional<CheckpointFailure> check_supported(const CentralRecord& record) {
  if (record.disk != 0) return unsupported("spans several disks");
  if (record.flags & flag_encrypted) return unsupported("has the encrypted entry " + in_quotes(record.name));
  if (record.method != method_stored)
    return unsupported("has the compressed entry " + in_quotes(record.name));
  if (record.packed_size != record.size) {
    return corrupt("the stored entry " + in_quotes(record.name) + " has two different sizes");
  }
  return std::nullopt;
}

/// The bytes of the directory.
CheckpointResult<Bytes> directory_bytes(Bytes bytes, const Directory& found) {
  if (found.count > most_entries) {
    return CheckpointFailure(CheckpointError::limit, "The zip archive has " + std::to_string(found.count) +
                                                         " entries; at most " + std::to_string(most_entries) +
                                                         " are supported.");
  }
  if (found.offset > found.limit || found.size > found.limit - found.offset) {
    return corrupt("the directory lies outside of the file");
  }
  return bytes.subspan(found.offset, found.size);
}

/// The data of an entry, found through its local header, which has to agree with the directory. `files`: the
/// bytes before the directory.
CheckpointResult<Bytes> find_data(Bytes files, const CentralRecord& record) {
  const std::string where = "the entry " + in_quotes(record.name) + " ";
  if (record.offset > files.size() || files.size() - record.offset < local_bytes ||
      little_endian<std::uint32_t>(files, record.offset) != local_signature) {
    return corrupt(where + "is not where the directory says");
  }
  const Bytes local = files.subspan(record.offset);
  const std::size_t name_length = little_endian<std::uint16_t>(local, 26);
  const std::size_t header = local_bytes + name_length + little_endian<std::uint16_t>(local, 28);
  if (header > local.size() || record.size > local.size() - header) {
    return corrupt(where + "runs past the end of the data");
  }
  const auto flags = little_endian<std::uint16_t>(local, 6);
  if (flags & flag_encrypted) return unsupported("has the encrypted entry " + in_quotes(record.name));
  const auto packed_size = little_endian<std::uint32_t>(local, 18);
  const auto size = little_endian<std::uint32_t>(local, 22);
  const bool sizes_agree =
      (flags & flag_sizes_follow) != 0 ||
      ((packed_size == record.size || packed_size == in_zip64_32) &&
       (size == record.size || size == in_zip64_32) && little_endian<std::uint32_t>(local, 14) == record.crc);
  if (text_at(local, local_bytes, name_length) != record.name ||
      little_endian<std::uint16_t>(local, 8) != record.method || !sizes_agree) {
    return corrupt(where + "has a header that differs from the directory");
  }
  return local.subspan(header, record.size);
}

/// Whether no two entries, from local header to end of data, share bytes.
bool are_disjoint(std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges) {
  std::sort(ranges.begin(), ranges.end());
  return std::adjacent_find(ranges.begin(), ranges.end(),
                            [](const auto& a, const auto& b) { return b.first < a.second; }) == ranges.end();
}

}  // namespace

bool ZipArchive::has_signature(Bytes bytes) {
  if (bytes.size() < sizeof(std::uint32_t)) return false;
  const auto signature = little_endian<std::uint32_t>(bytes, 0);
  return signature == local_signature || signature == end_signature || signature == zip64_end_signature;
}

CheckpointResult<ZipArchive> ZipArchive::parse(Bytes bytes) {
  const auto found = find_directory(bytes);
  if (!found) return found.failure();
  auto directory = directory_bytes(bytes, *found);
  if (!directory) return directory.failure();
  const Bytes files = bytes.first(found->offset);

  ZipArchive archive;
  archive.bytes_behind_ = bytes.size() - found->end;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (std::uint64_t i = 0; i < found->count; ++i) {
    const auto record = read_central_record(*directory);
    if (!record) return record.failure();
    if (auto failure = check_supported(*record)) return *std::move(failure);
    const auto data = find_data(files, *record);
    if (!data) return data.failure();
    ranges.emplace_back(record->offset,
                        static_cast<std::uint64_t>(data->data() + data->size() - files.data()));
    if (!archive.by_name_.try_emplace(record->name, archive.entries_.size()).second) {
      return corrupt("two entries are named " + in_quotes(record->name));
    }
    archive.entries_.push_back({record->name, *data, record->crc});
  }
  if (!directory->empty()) return corrupt("the directory is longer than its entries");
  if (!are_disjoint(std::move(ranges))) return corrupt("entries overlap");
  return archive;
}

std::vector<std::string_view> ZipArchive::list_names(Bytes bytes) {
  std::vector<std::string_view> names;
  const auto found = find_directory(bytes);
  if (!found) return names;
  auto directory = directory_bytes(bytes, *found);
  if (!directory) return names;
  for (std::uint64_t i = 0; i < found->count; ++i) {
    const auto record = read_central_record(*directory);
    if (!record || (record->flags & flag_encrypted)) return {};
    names.push_back(record->name);
  }
  return names;
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

std::uint32_t crc32_of(Bytes bytes, std::uint32_t crc) {
  if (bytes.empty()) return crc;  // zlib takes a null pointer as "start again"
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace tpn
