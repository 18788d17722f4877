#include "engine/report/event_file.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/output_target.h"
#include "engine/report/crc32c.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using namespace std::string_literals;

std::string hexadecimal(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    (text += digits[byte >> 4U]) += digits[byte & 15U];
  }
  return text;
}

TEST(Crc32c, GivesThePublishedValues) {
  // RFC 3720 appendix B.4; the last one is the check value of the CRC catalogues.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending += c;
  EXPECT_EQ(crc32c(ascending), 0x46dd794eU);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST(EventFile, FramesRecordsAsTensorBoardDoes) {
  EXPECT_EQ(hexadecimal(frame_record("tempo")),
            "0500000000000000eab2043e74656d706fafddcdfe");  // by tensorboard 2.21
}

TEST(EventFile, EncodesScalarsAsProtocolBuffers) {
  const std::vector<EventScalar> scalars = {{"a/b", 0.5F}, {"c", -2.0F}};
  const std::string first = "\x0a\x0a\x0a\x03\x61/b\x15\x00\x00\x00\x3f"s;
  const std::string second = "\x0a\x08\x0a\x01\x63\x15\x00\x00\x00\xc0"s;
  EXPECT_EQ(hexadecimal(encode_scalars(1.5, 300, scalars)),
            hexadecimal("\x09\x00\x00\x00\x00\x00\x00\xf8\x3f"s  // wall_time, as a double
                        "\x10\xac\x02"s                          // step: 300 in 7 bits a byte
                        "\x2a\x16"s +
                        first + second));
  EXPECT_TRUE(encode_scalars(0, 200, {}).ends_with("\x10\xc8\x01\x2a\x00"s));
}

/// The data of each record of a file whose checksums are right.
std::vector<std::string> records(const std::filesystem::path& path) {
  std::vector<std::string> data;
  std::string rest = test::read_file(path);
  while (!rest.empty()) {
    const std::size_t size = static_cast<unsigned char>(rest.at(0));  // all are short
    data.push_back(rest.substr(12, size));
    const std::string record = frame_record(data.back());
    EXPECT_EQ(rest.substr(0, record.size()), record);
    rest.erase(0, record.size());
  }
  return data;
}

TEST(EventFile, BeginsWithTheVersion) {
  const test::TemporaryDirectory folder;
  EventFile file(folder.path());
  EXPECT_NE(file.path().filename().string().find("events.out.tfevents."), std::string::npos);
  const std::vector<EventScalar> scalars = {{"loss", 0.25F}};
  file.add(7, scalars);
  const auto data = records(file.path());
  ASSERT_EQ(data.size(), 2U);
  EXPECT_TRUE(
      data[0].ends_with("\x1a\x0d"
                        "brain.Event:2"));
  EXPECT_EQ(data[1].substr(9), encode_scalars(0, 7, scalars).substr(9));
}

TEST(EventFile, SaysFromWhichStepEarlierFilesAreVoid) {
  const test::TemporaryDirectory folder;
  const EventFile file(folder.path(), 40);
  const auto data = records(file.path());
  ASSERT_EQ(data.size(), 2U);
  EXPECT_EQ(data[1].substr(9), "\x10\x28\x3a\x02\x08\x01"s);
}

TEST(EventFile, IsNewEachTime) {
  const test::TemporaryDirectory folder;
  const EventFile first(folder.path());
  const EventFile second(folder.path());
  EXPECT_NE(first.path(), second.path());
  EXPECT_LT(first.path(), second.path());
  EXPECT_EQ(folder.entry_count(), 2);
}

TEST(EventFile, NamesAFolderThatIsMissing) {
  try {
    const EventFile file("/nowhere/at/all");
    FAIL();
  } catch (const OutputError& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/at/all/events"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tpn
