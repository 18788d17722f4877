#include "engine/model/safetensors.h"

#include <cstdint>
#include <cstring>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::read_file;
using test::TemporaryDirectory;

/// A file of that header and that many zero bytes of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(data_bytes, '\0');
}

/// Parses it; an empty text, or the reason of the refusal.
std::string refusal(const std::string& file) {
  alignas(8) static thread_local std::array<char, 4096> aligned;
  std::copy(file.begin(), file.end(), aligned.begin());
  const auto result = SafetensorsFile::parse(std::as_bytes(std::span(aligned.data(), file.size())), "FILE");
  return result.ok() ? "" : result.failure().message;
}

/// The same for a header, padded so that the data are aligned.
std::string header_refusal(const std::string& header, std::size_t data_bytes = 8) {
  return refusal(file_of(header + std::string((8 - header.size() % 8) % 8, ' '), data_bytes));
}

SafetensorsOutput output(const std::string& name, DType dtype, const Shape& shape, const std::string& bytes,
                         std::size_t piece = 1000) {
  return {name, dtype, shape, [=](const auto& sink) {
            for (std::size_t i = 0; i < bytes.size(); i += piece) {
              sink(std::as_bytes(std::span(bytes).subspan(i, std::min(piece, bytes.size() - i))));
            }
          }};
}

std::string bytes_of(const SafetensorsFile& file, const std::string& name) {
  const auto* entry = file.find(name);
  if (entry == nullptr) return "(absent)";
  const ConstTensorView view = file.view(*entry);
  return {reinterpret_cast<const char*>(view.data), view.bytes()};
}

TEST(Safetensors, ReadsAHandWrittenFile) {
  const std::string header =
      R"({"b":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},"__metadata__":{"k":"v","":"e"},)"
      R"("a":{"data_offsets":[0,8],"shape":[],"dtype":"I64"},"none":{"dtype":"BF16","shape":[0,5],"data_offsets":[32,32]}}  )";
  const TemporaryDirectory folder;
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const auto file = SafetensorsFile::open(folder.write("f", file_of(padded, 32))).value_or_throw();
  ASSERT_EQ(file.entries().size(), 3);
  EXPECT_EQ(file.entries()[0].name, "a");
  EXPECT_EQ(file.entries()[0].dtype, DType::i64);
  EXPECT_EQ(file.entries()[0].shape, Shape{});
  EXPECT_EQ(file.entries()[1].shape, (Shape{2, 3}));
  EXPECT_EQ(file.entries()[1].offset, 8 + padded.size() + 8);
  EXPECT_EQ(file.entries()[1].bytes, 24);
  EXPECT_EQ(file.find("none")->shape, (Shape{0, 5}));
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"k", "v"}, {"", "e"}}));
}

TEST(Safetensors, WritesWhatItReads) {
  const TemporaryDirectory folder;
  const std::string odd = "abcde";
  const std::string wide(16, 'w');
  const std::string block(128, 'b');
  const std::string narrow = "nn";
  const std::vector<SafetensorsOutput> tensors{
      output("odd", DType::u8, {5}, odd, 2), output("narrow", DType::bf16, {1}, narrow),
      output("wide", DType::f64, {1, 2}, wide), output("block", DType::f32, {32}, block, 1),
      output("empty", DType::boolean, {0}, "")};
  const std::map<std::string, std::string> metadata{{"tpn.config", "{\"a\": \"\\n\xc3\xa4\"}"}};
  write_safetensors(folder / "f", metadata, tensors);
  EXPECT_EQ(folder.entry_count(), 1);

  const auto file = SafetensorsFile::open(folder / "f").value_or_throw();
  EXPECT_EQ(file.metadata(), metadata);
  std::vector<std::string> order;
  for (const auto& entry : file.entries()) {
    order.push_back(entry.name);
    EXPECT_EQ(entry.offset % size_of(entry.dtype), 0) << entry.name;
  }
  EXPECT_EQ(order, (std::vector<std::string>{"block", "empty", "wide", "narrow", "odd"}));
  EXPECT_EQ(file.entries()[0].offset % 64, 0);
  EXPECT_EQ(bytes_of(file, "odd"), odd);
  EXPECT_EQ(bytes_of(file, "narrow"), narrow);
  EXPECT_EQ(bytes_of(file, "wide"), wide);
  EXPECT_EQ(bytes_of(file, "block"), block);
  for (const auto& entry : file.entries()) file.release(entry);
  EXPECT_EQ(bytes_of(file, "block"), block);
}

TEST(Safetensors, ReleasedPagesAreReadAgain) {
  const TemporaryDirectory folder;
  const std::string large(100'000, 'l');
  const std::vector<SafetensorsOutput> tensors{output("large", DType::u8, {100'000}, large)};
  write_safetensors(folder / "f", {}, tensors);
  const auto file = SafetensorsFile::open(folder / "f").value_or_throw();
  EXPECT_EQ(bytes_of(file, "large"), large);
  file.release(file.entries()[0]);
  EXPECT_EQ(bytes_of(file, "large"), large);
}

TEST(Safetensors, WritesAnEmptyFile) {
  const TemporaryDirectory folder;
  write_safetensors(folder / "f", {}, {});
  EXPECT_EQ(read_file(folder / "f").size(), 64);
  EXPECT_TRUE(SafetensorsFile::open(folder / "f").value_or_throw().entries().empty());
}

TEST(Safetensors, AFailedWriteLeavesNothing) {
  const TemporaryDirectory folder;
  const auto write = [&](std::vector<SafetensorsOutput> tensors) {
    EXPECT_THROW(write_safetensors(folder / "f", {}, tensors), std::runtime_error);
    EXPECT_EQ(folder.entry_count(), 0);
  };
  write({output("short", DType::u8, {3}, "ab")});
  write({output("long", DType::u8, {3}, "abcd")});
  write({output("twice", DType::u8, {1}, "a"), output("twice", DType::u8, {1}, "a")});
  write({output("__metadata__", DType::u8, {1}, "a")});
  write({output("\xff", DType::u8, {1}, "a")});
  write({{"throws", DType::u8, {1}, [](const auto&) { throw std::runtime_error("no"); }}});
}

TEST(Safetensors, RefusesDamagedFiles) {
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("1234567"), "");
  EXPECT_NE(refusal(std::string(8, '\0')), "");  // the header is empty
  EXPECT_NE(refusal("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "");
  EXPECT_NE(refusal(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8) + "{}"), "");  // 100,000,001
  for (const char beyond : {'\3', '\12', '\13', '\177'}) {
    const std::string text = beyond + std::string("\0\0\0\0\0\0\0{}", 9);
    EXPECT_NE(refusal(text).find("it ends inside its header"), std::string::npos) << refusal(text);
  }
  EXPECT_EQ(refusal(std::string("\x02\0\0\0\0\0\0\0{}", 10)), "");
  const TemporaryDirectory folder;
  EXPECT_FALSE(SafetensorsFile::open(folder.path()).ok());
  EXPECT_FALSE(SafetensorsFile::open(folder / "absent").ok());
  EXPECT_FALSE(SafetensorsFile::open("/dev/null").ok());
  const std::string path = folder.write("empty", "");
  EXPECT_NE(SafetensorsFile::open(path).failure().message.find(path), std::string::npos);
}

TEST(Safetensors, RefusesBadHeaders) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(header_refusal(good), "");
  EXPECT_EQ(header_refusal(good + "  \n"), "");
  const auto expect_reason = [](const std::string& found, const std::string& reason) {
    EXPECT_NE(found.find(reason), std::string::npos) << found;
  };
  expect_reason(header_refusal(" " + good), "does not begin with");
  expect_reason(header_refusal(good + "{}"), "not valid JSON");
  expect_reason(header_refusal(good, 9), "take 8 bytes, but 9 bytes of data follow");
  expect_reason(header_refusal(good, 7), "reaches past the end of the file");
  const std::vector<std::pair<std::string, std::string>> bad{
      {"[]", "does not begin with"},
      {"7", "does not begin with"},
      {"null", "does not begin with"},
      {"{", "not valid JSON at byte"},
      {R"({"a":7})", "has 7 where"},
      {R"({"a":[]})", "has a list where"},
      {R"({"a":{}})", "lacks its dtype"},
      {R"({"a":null})", "has null where"},
      {R"({"a":"b"})", "has a string where"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", "lacks its dtype"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", "lacks its dtype"},
      {R"({"a":{"shape":[2],"data_offsets":[0,8]}})", "lacks its dtype"},
      {R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", "the element type \"F8_E4M3\""},
      {R"({"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}})", "has 32 where"},
      {R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", "has 2 where"},
      {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "has -2 where"},
      {R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", "has 2.0 where"},
      {R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})", "has a list where"},
      {R"({"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}})", "has a string where"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "needs 12 bytes, but has 8"},
      {R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}})", "more than 8 dimensions"},
      {R"({"a":{"dtype":"F32","shape":[9223372036854775807,3],"data_offsets":[0,8]}})", "impossible size"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4,2],"data_offsets":[0,8]}})", "impossible size"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551617],"data_offsets":[0,8]}})",
       "has 18446744073709551617 where"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "ends before it begins"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", "lacks its dtype"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", "more than two data offsets"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,0]}})",
       "ends before it begins"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
       "begins at byte 8 of the data instead of 0"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", "field \"x\""},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "repeated field \"dtype\""},
      {R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})", "repeated field \"shape\""},
      {R"({"__metadata__":{"a":1}})", "has 1 where"},
      {R"({"__metadata__":[]})", "has a list where"},
      {R"({"__metadata__":{"a":{"b":"c"}}})", "has an object where"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "metadata key \"a\" occurs twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", "key \"__metadata__\" occurs twice"},
      {"{\"\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "not valid JSON at byte"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "needs 4 bytes, but has 8"},
  };
  for (const auto& [header, reason] : bad) {
    SCOPED_TRACE(header);
    expect_reason(header_refusal(header), reason);
  }
}

TEST(Safetensors, RefusesOverlapHolesAndTwins) {
  const auto two = [](const std::string& second, const std::string& range, std::size_t data_bytes = 8) {
    return header_refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},")" + second +
                              R"(":{"dtype":"F32","shape":[1],"data_offsets":)" + range + "}}",
                          data_bytes);
  };
  EXPECT_EQ(two("b", "[4,8]"), "");
  EXPECT_NE(two("b", "[0,4]", 4), "");
  EXPECT_NE(two("b", "[2,6]", 6), "");
  EXPECT_NE(two("b", "[8,12]", 12), "");
  EXPECT_NE(two("a", "[4,8]"), "");
}

TEST(Safetensors, ReadsMisalignedTensors) {
  const std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]},)"
      R"("c":{"dtype":"F64","shape":[],"data_offsets":[9,17]},"d":{"dtype":"F16","shape":[0,3],"data_offsets":[17,17]},)"
      R"("e":{"dtype":"I64","shape":[1],"data_offsets":[17,25]}})";
  std::string text = file_of(header, 0);
  const std::array<float, 2> floats{0.5F, -3.0F};
  const double number = 1e300;
  const std::int64_t integer = -7;
  text += 'x';
  text.append(reinterpret_cast<const char*>(floats.data()), sizeof floats);
  text.append(reinterpret_cast<const char*>(&number), sizeof number);
  text.append(reinterpret_cast<const char*>(&integer), sizeof integer);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::vector<char> memory(text.size() + shift);
    std::copy(text.begin(), text.end(), memory.begin() + static_cast<std::ptrdiff_t>(shift));
    const auto file =
        SafetensorsFile::parse(std::as_bytes(std::span(memory).subspan(shift)), "FILE").value_or_throw();
    for (const auto& entry : file.entries()) {
      const ConstTensorView view = file.view(entry);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % (view.bytes() > 0 ? size_of(entry.dtype) : 1),
                0)
          << entry.name;
      EXPECT_EQ(file.view(entry).data, view.data) << "another copy";
      file.release(entry);
    }
    EXPECT_EQ(bytes_of(file, "a"), "x");
    const auto* const read = reinterpret_cast<const float*>(file.view(*file.find("b")).data);
    EXPECT_EQ(std::vector<float>(read, read + 2), (std::vector<float>{0.5F, -3.0F}));
    EXPECT_EQ(*reinterpret_cast<const double*>(file.view(*file.find("c")).data), number);
    EXPECT_EQ(*reinterpret_cast<const std::int64_t*>(file.view(*file.find("e")).data), integer);
    EXPECT_EQ(file.view(*file.find("d")).bytes(), 0U);
  }
}

TEST(Safetensors, SaysWhatAFileReallyIs) {
  EXPECT_EQ(
      refusal("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"),
      "FILE is not a safetensors file: it is a pointer of Git LFS in place of the file; \"git lfs pull\" "
      "fetches it.");
  EXPECT_EQ(refusal(""), "FILE is not a safetensors file that can be used: it is empty.");
}

TEST(Safetensors, DeepNestingIsRefusedQuickly) {
  const std::string deep = R"({"a":)" + std::string(3000, '[');
  EXPECT_NE(header_refusal(deep), "");
}

}  // namespace
}  // namespace tpn
