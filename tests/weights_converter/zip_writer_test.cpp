#include "weights_converter/zip_writer.h"

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "engine/model/mapped_file.h"
#include "kernels/error.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"
#include "weights_converter/little_endian.h"
#include "weights_converter/zip_archive.h"

namespace tpn {
namespace {

constexpr std::uint64_t four_gib = std::uint64_t{1} << 32;

/// Two entries written from `position` on, behind a hole in the file; the names and contents that are read
/// back.
std::string written_and_read(std::uint64_t position) {
  const test::TemporaryDirectory folder;
  const auto path = folder / "archive.zip";
  {
    std::ofstream file(path, std::ios::binary);
    file.seekp(static_cast<std::streamoff>(position));
    ZipWriter zip(
        [&](std::span<const std::byte> bytes) {
          file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        },
        position);
    zip.begin_entry("a/first");
    zip.write("one");
    zip.write("two");
    zip.begin_entry("a/second");
    zip.finish();
  }
  const auto mapped = MappedFile::open(path).value_or_throw();
  const auto archive = ZipArchive::parse(mapped.bytes());
  if (!archive) return archive.failure().message;
  std::string text;
  for (const ZipEntry& entry : archive->entries()) {
    const auto* const data = reinterpret_cast<const char*>(entry.data.data());
    text += std::string(entry.name) + '=' + std::string(data, entry.data.size()) + ' ';
    EXPECT_EQ((data - reinterpret_cast<const char*>(mapped.bytes().data())) % 64, 0) << entry.name;
    EXPECT_EQ(crc32_of(entry.data), entry.crc);
  }
  EXPECT_EQ(archive->bytes_behind(), 0U);
  return text;
}

TEST(ZipWriter, WritesWhatTheReaderReads) {
  EXPECT_EQ(written_and_read(0), "a/first=onetwo a/second= ");
}

TEST(ZipWriter, OffsetsMayPassFourGibibytes) {
  // The files are holes but for the archive. 2^32 - 1 itself says "see the zip64 record".
  for (const std::uint64_t position :
       {four_gib - 2, four_gib - 1, four_gib, four_gib - 130, 5 * four_gib + 7}) {
    EXPECT_EQ(written_and_read(position), "a/first=onetwo a/second= ") << position;
  }
}

/// The offset of the first entry as its record in the directory has it in 32 bits, and whether 64 bits
/// follow.
std::pair<std::uint32_t, bool> recorded_offset(std::uint64_t position) {
  std::string written;
  ZipWriter zip(
      [&](std::span<const std::byte> bytes) {
        written.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      },
      position);
  zip.begin_entry("a");
  zip.finish();
  const std::size_t record = written.find("PK\x01\x02");
  const auto bytes = test::as_bytes(written);
  return {little_endian<std::uint32_t>(bytes, record + 42),
          little_endian<std::uint16_t>(bytes, record + 30) > 0};
}

TEST(ZipWriter, OffsetsOf32BitsStayShort) {
  EXPECT_EQ(recorded_offset(four_gib - 2), std::pair(0xfffffffeU, false));
  EXPECT_EQ(recorded_offset(four_gib - 1), std::pair(0xffffffffU, true));
  EXPECT_EQ(recorded_offset(four_gib), std::pair(0xffffffffU, true));
}

TEST(ZipWriter, AnEntryOfFourGibibytesIsRefused) {
  std::uint64_t written = 0;
  ZipWriter zip([&](std::span<const std::byte> bytes) { written += bytes.size(); });
  zip.begin_entry("large");
  const std::string piece(std::size_t{1} << 28, '\0');
  for (int i = 0; i < 15; ++i) zip.write(piece);
  EXPECT_GE(written, 15 * (std::uint64_t{1} << 28));
  EXPECT_THROW(zip.write(piece), Error);
}

}  // namespace
}  // namespace tpn
