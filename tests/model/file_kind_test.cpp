#include "engine/model/file_kind.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tpn {
namespace {

using namespace std::string_literals;

std::string kind_of(const std::string& file) {
  return foreign_kind(std::as_bytes(std::span(file))).value_or("unknown");
}

TEST(FileKind, IsToldByTheFirstBytes) {
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "pointer of Git LFS"},
      {"<!DOCTYPE html><html>", "web page"},
      {"\xef\xbb\xbf\r\n <HTML lang=en>", "web page"},
      {"<?xml version='1.0'?><Error><Code>AccessDenied", "XML"},
      {"{\"message\": \"Not Found\"}", "JSON"},
      {"{\n  \"name\": 1}", "JSON"},
      {"\x1f\x8b\x08"s, "gzip"},
      {"BZh91AY", "bzip2"},
      {"\xfd"
       "7zXZ\0"s,
       "xz"},
      {"\x28\xb5\x2f\xfd"s, "zstd"},
      {"7z\xbc\xaf\x27\x1c"s, "7z"},
      {"Rar!\x1a\x07\x01"s, "RAR"},
      {std::string(257, 'a') + "ustar\0"s, "tar"},
      {"PK\x07\x08PK\x03\x04"s, "split zip"},
      {"PK\x03\x04 and so on"s, "zip archive"},
      {"\x89HDF\r\n\x1a\n"s, "HDF5"},
      {"\x93NUMPY\x01"s, "NumPy"},
      {"\x1c\0\0\0TFL3"s, "TensorFlow Lite"},
      {"\x08\x08\x12\x07pytorch\x1a"s, "ONNX"},
      {"a table\x57\xfb\x80\x8b\x24\x75\x47\xdb"s, "TensorFlow"},
      {"\x80\x04\x95"s, "pickle"},
      {"\0\0\0\x20"
       "ftypisom"s,
       "video"},
      {"\x89PNG\r\n"s, "image"},
  };
  for (const auto& [file, part] : kinds) EXPECT_NE(kind_of(file).find(part), std::string::npos) << part;
}

TEST(FileKind, IsNotGuessed) {
  for (const std::string& file : {""s, "P"s, "this is not a checkpoint\n"s, std::string(300, '\0'), "<a>"s}) {
    EXPECT_EQ(kind_of(file), "unknown") << file;
  }
}

TEST(FileKind, SafetensorsBeginWithALengthAndAnObject) {
  const auto is = [](const std::string& file) {
    return has_safetensors_signature(std::as_bytes(std::span(file)));
  };
  EXPECT_TRUE(is("\x02\0\0\0\0\0\0\0{}"s));
  EXPECT_TRUE(is("\x20\0\0\0\0\0\0\0{\"a\":"s));
  EXPECT_FALSE(is("\x20\0\0\0\0\0\0\x01{\"a\":"s));
  EXPECT_FALSE(is("\x20\0\0\0\0\0\0\0[]"s));
  EXPECT_FALSE(is("\x20"s));
}

}  // namespace
}  // namespace tpn
