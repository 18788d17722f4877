// APPNOTE.TXT, the zip file format specification (PKWARE), sections 4.3 to 4.5.
#include "weights_converter/zip_writer.h"

#include "kernels/error.h"
#include "weights_converter/zip_archive.h"

namespace tpn {
namespace {

constexpr std::uint64_t data_alignment = 64;
constexpr std::size_t local_header_bytes = 30;
constexpr std::uint16_t version_made = 45;       // zip64 is in use
constexpr std::uint16_t flags = 0x808;           // sizes follow the data; names are UTF-8
constexpr std::uint32_t elsewhere = 0xffffffff;  // the value is in the zip64 record

/// Little-endian fields one after another.
class Fields {
 public:
  Fields& u16(std::uint64_t value) { return add(value, 2); }
  Fields& u32(std::uint64_t value) { return add(value, 4); }
  Fields& u64(std::uint64_t value) { return add(value, 8); }
  Fields& text(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  Fields& add(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xffU);
    return *this;
  }

  std::string bytes_;
};

}  // namespace

void ZipWriter::put(std::span<const std::byte> bytes) {
  position_ += bytes.size();
  sink_(bytes);
}

void ZipWriter::begin_entry(const std::string& name) {
  end_entry();
  entries_.push_back({name, position_});
  const std::uint64_t unpadded = position_ + local_header_bytes + name.size() + 4;
  const std::uint64_t padding = (data_alignment - unpadded % data_alignment) % data_alignment;
  Fields header;
  header.text("PK\3\4").u16(version_made).u16(flags).u16(0);  // stored
  header.u16(0).u16(0).u32(0).u32(0).u32(0);  // no time, no date; checksum and sizes follow the data
  header.u16(name.size()).u16(4 + padding).text(name);
  header.text("FB").u16(padding).text(std::string(padding, 'Z'));
  put(header.bytes());
  open_ = true;
}

void ZipWriter::write(std::span<const std::byte> bytes) {
  Entry& entry = entries_.back();
  entry.size += bytes.size();
  entry.crc = crc32_of(bytes, entry.crc);
  if (entry.size >= elsewhere) throw Error("The archive's entry " + entry.name + " would reach 4 GiB.");
  put(bytes);
}

void ZipWriter::end_entry() {
  if (!open_) return;
  const Entry& entry = entries_.back();
  put(Fields().text("PK\7\10").u32(entry.crc).u32(entry.size).u32(entry.size).bytes());
  open_ = false;
}

void ZipWriter::finish() {
  end_entry();
  const std::uint64_t directory = position_;
  for (const Entry& entry : entries_) {
    const bool far = entry.offset >= elsewhere;
    Fields extra;
    if (far) extra.u16(1).u16(8).u64(entry.offset);
    Fields record;
    record.text("PK\1\2").u16(version_made).u16(version_made).u16(flags).u16(0);
    record.u16(0).u16(0).u32(entry.crc).u32(entry.size).u32(entry.size);
    record.u16(entry.name.size()).u16(extra.bytes().size()).u16(0);   // no comment
    record.u16(0).u16(0).u32(0).u32(far ? elsewhere : entry.offset);  // disk, attributes
    put(record.text(entry.name).text(extra.bytes()).bytes());
  }
  const std::uint64_t end = position_;
  const std::uint64_t count = entries_.size();
  Fields tail;
  tail.text("PK\6\6").u64(44).u16(version_made).u16(version_made).u32(0).u32(0);
  tail.u64(count).u64(count).u64(end - directory).u64(directory);
  tail.text("PK\6\7").u32(0).u64(end).u32(1);
  const bool many = count >= 0xffff;
  tail.text("PK\5\6").u16(0).u16(0).u16(many ? 0xffff : count).u16(many ? 0xffff : count);
  tail.u32(end - directory).u32(directory >= elsewhere ? elsewhere : directory).u16(0);
  put(tail.bytes());
}

}  // namespace tpn
