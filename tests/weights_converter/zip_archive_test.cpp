#include "weights_converter/zip_archive.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/checkpoint_builder.h"

namespace tpn {
namespace {

using test::as_bytes;
using test::le;

constexpr std::size_t end_bytes = 22;

std::string kind_of_failure(const std::string& file) {
  const auto archive = ZipArchive::parse(as_bytes(file));
  return archive ? "ok" : std::string(name_of(archive.failure().kind));
}

/// The file with `bytes` written over what stands at `offset`.
std::string changed(std::string file, std::size_t offset, const std::string& bytes) {
  return file.replace(offset, bytes.size(), bytes);
}

class ZipArchiveTest : public testing::Test {
 protected:
  std::string file_ = test::zip({{"r/a", "first"}, {"r/b", ""}, {"r/c", std::string(1000, 'c')}});
  std::size_t end_ = file_.size() - end_bytes;
  std::size_t directory_ = file_.find("PK\x01\x02");
};

TEST_F(ZipArchiveTest, ReadsStoredEntriesInPlace) {
  const auto archive = ZipArchive::parse(as_bytes(file_)).value_or_throw();
  ASSERT_EQ(archive.entries().size(), 3U);
  EXPECT_EQ(archive.entries()[1].name, "r/b");
  const ZipEntry* const first = archive.find("r/a");
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->data.size(), 5U);
  EXPECT_EQ(first->data.data(), as_bytes(file_).data() + file_.find("first"));
  EXPECT_EQ(first->crc, crc32_of(first->data));
  EXPECT_EQ(archive.find("r/A"), nullptr);
}

TEST_F(ZipArchiveTest, TheCommentMayHoldSignatures) {
  const std::string comment = "PK\x05\x06 and so on, longer than an end record";
  EXPECT_EQ(kind_of_failure(changed(file_, end_ + 20, le(comment.size(), 2)) + comment), "ok");
}

TEST_F(ZipArchiveTest, AnyCutIsTruncation) {
  for (std::size_t length = 0; length < file_.size(); ++length) {
    ASSERT_EQ(kind_of_failure(file_.substr(0, length)), "truncated") << length;
  }
}

TEST_F(ZipArchiveTest, ReadsZip64) {
  const std::size_t size = end_ - directory_;
  const std::string zip64_end = "PK\x06\x06" + le(44, 8) + le(45, 2) + le(45, 2) + le(0, 8) + le(3, 8) +
                                le(3, 8) + le(size, 8) + le(directory_, 8);
  const auto with = [&](const std::string& record, const std::string& locator) {
    return file_.substr(0, end_) + record + locator +
           changed(file_.substr(end_), 8, std::string(12, '\xff'));  // all counts and offsets
  };
  const std::string locator = "PK\x06\x07" + le(0, 4) + le(end_, 8) + le(1, 4);
  EXPECT_EQ(kind_of_failure(with(zip64_end, locator)), "ok");
  EXPECT_EQ(kind_of_failure(with(zip64_end, changed(locator, 8, le(end_ + 1, 8)))), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(with(zip64_end, changed(locator, 8, std::string(8, '\xff')))), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(with(zip64_end, changed(locator, 16, le(2, 4)))), "unsupported_zip");
  EXPECT_EQ(kind_of_failure(with(changed(zip64_end, 24, le(4, 8)), locator)), "unsupported_zip");
  EXPECT_EQ(kind_of_failure(with(changed(zip64_end, 24, le(4, 8) + le(4, 8)), locator)), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(with(changed(zip64_end, 24, le(1ULL << 60, 8) + le(1ULL << 60, 8)), locator)),
            "limit");
  EXPECT_EQ(kind_of_failure(with(changed(zip64_end, 40, std::string(8, '\xff')), locator)), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(with(changed(zip64_end, 48, std::string(8, '\xff')), locator)), "corrupt_zip");
}

TEST_F(ZipArchiveTest, ReadsZip64FieldsInTheOrderOfTheFormat) {
  // An extra field with the sizes and the offset of the third entry, all of which the record leaves to it.
  const std::size_t third = file_.rfind("PK\x01\x02"), offset = file_.find("r/c") - 30;
  const auto with = [&](const std::string& values) {
    const std::string extra = le(0x7075, 2) + le(1, 2) + "?" + le(1, 2) + le(values.size(), 2) + values;
    std::string file = changed(file_, third + 20, std::string(8, '\xff'));
    file = changed(changed(file, third + 42, std::string(4, '\xff')), third + 30, le(extra.size(), 2));
    file = changed(file, end_ + 12, le(end_ - directory_ + extra.size(), 4));
    return file.insert(third + 46 + 3, extra);
  };
  const std::string size = le(1000, 8), at = le(offset, 8);
  const std::string file = with(size + size + at);
  const auto archive = ZipArchive::parse(as_bytes(file)).value_or_throw();
  EXPECT_EQ(archive.find("r/c")->data.size(), 1000U);
  EXPECT_EQ(archive.find("r/c")->data.data(), as_bytes(file).data() + file.find("ccc"));
  EXPECT_EQ(kind_of_failure(with(at + size + size)), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(with(size + at + size)), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(with(size + size)), "corrupt_zip") << "the offset is missing";
}

TEST_F(ZipArchiveTest, DataMayNotPassTheDirectory) {
  const std::size_t third = file_.rfind("PK\x01\x02");
  const std::size_t room = directory_ - file_.find("ccc");
  const auto with = [&](std::size_t size) {
    return kind_of_failure(changed(file_, third + 20, le(size, 4) + le(size, 4)));
  };
  EXPECT_EQ(with(room), "ok") << "what follows the data is not looked at";
  EXPECT_EQ(with(room + 1), "corrupt_zip");
  EXPECT_EQ(with(directory_ - 1), "corrupt_zip");
}

TEST_F(ZipArchiveTest, RefusesContradictions) {
  const std::size_t local = 0;
  EXPECT_EQ(kind_of_failure(changed(file_, end_ + 8, le(2, 2) + le(2, 2))), "corrupt_zip")
      << "entries left over";
  EXPECT_EQ(kind_of_failure(changed(file_, end_ + 8, le(4, 2) + le(4, 2))), "corrupt_zip")
      << "entries missing";
  EXPECT_EQ(kind_of_failure(changed(file_, end_ + 16, le(file_.size(), 4))), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(changed(file_, end_ + 4, le(1, 2))), "unsupported_zip") << "disk";
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 24, le(6, 4))), "corrupt_zip") << "two sizes";
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 20, le(1U << 30, 4) + le(1U << 30, 4))),
            "corrupt_zip");
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 20, std::string(8, '\xff'))), "corrupt_zip")
      << "no zip64 field";
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 42, le(1, 4))), "corrupt_zip") << "no header there";
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 42, le(0xfffffff0, 4))), "corrupt_zip");
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 28, le(60000, 2))), "corrupt_zip") << "name too long";
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 8, le(0x809, 2))), "unsupported_zip") << "encrypted";
  EXPECT_EQ(kind_of_failure(changed(file_, local + 6, le(0x809, 2))), "unsupported_zip") << "encrypted";
  EXPECT_EQ(kind_of_failure(changed(file_, directory_ + 10, le(8, 2))), "unsupported_zip") << "deflated";
  EXPECT_EQ(kind_of_failure(changed(file_, local + 8, le(8, 2))), "corrupt_zip") << "method differs";
  EXPECT_EQ(kind_of_failure(changed(file_, local + 6, le(0x800, 2))), "corrupt_zip") << "sizes differ";
  EXPECT_EQ(kind_of_failure(changed(file_, local + 26, le(0xffff, 2))), "corrupt_zip") << "name too long";
  EXPECT_EQ(kind_of_failure(changed(file_, local + 30, "R")), "corrupt_zip") << "name differs";
}

TEST_F(ZipArchiveTest, RefusesSharedNamesAndBytes) {
  EXPECT_EQ(kind_of_failure(test::zip({{"a", "1"}, {"a", "2"}})), "corrupt_zip");
  // The first entry's data holds another entry, header and all.
  const std::string inner = test::zip({{"b", "inner"}});
  const std::string inner_entry = inner.substr(0, inner.find("PK\x01\x02"));
  std::string file = test::zip({{"a", inner_entry}, {"b", "inner"}});
  ASSERT_EQ(kind_of_failure(file), "ok");
  const std::size_t second = file.rfind("PK\x01\x02");
  EXPECT_EQ(kind_of_failure(changed(file, second + 42, le(file.find(inner_entry), 4))), "corrupt_zip");
}

TEST_F(ZipArchiveTest, Checksum) {
  EXPECT_EQ(crc32_of(as_bytes("123456789")), 0xcbf43926U);  // the check value of CRC-32/ISO-HDLC
  EXPECT_EQ(crc32_of(as_bytes("6789"), crc32_of(as_bytes("12345"))), 0xcbf43926U);
  EXPECT_EQ(crc32_of({}, 7), 7U);
}

}  // namespace
}  // namespace tpn
