#include "engine/model/text_lines.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using Lines = std::vector<std::string>;

std::string refusal(std::string_view text) {
  try {
    static_cast<void>(text_lines(text, "list.txt"));
  } catch (const Error& error) {
    return error.what();
  }
  return "read";
}

TEST(TextLines, EndsAndMarksOfAllSystems) {
  EXPECT_EQ(text_lines("a\nb c \n\n\xc3\xa4", "x"), (Lines{"a", "b c ", "", "\xc3\xa4"}));
  EXPECT_EQ(text_lines("a\r\nb\r\n", "x"), (Lines{"a", "b"}));
  EXPECT_EQ(text_lines("\xef\xbb\xbf"
                       "a\n",
                       "x"),
            Lines{"a"});
  EXPECT_EQ(text_lines("", "x"), Lines());
  EXPECT_EQ(text_lines("\n", "x"), Lines{""});
  EXPECT_EQ(text_lines("a\rb\r", "x"), (Lines{"a", "b"}));
  EXPECT_EQ(text_lines("a\rb\n", "x"), Lines{"a\rb"}) << "a name may have a CR in it";
}

TEST(TextLines, MayHoldNamesInAnyEncoding) {
  EXPECT_EQ(text_lines("a\nc\xe9\n", "x", LineBytes::any), (Lines{"a", "c\xe9"}));
  EXPECT_THROW(text_lines(std::string_view("a\0b\n", 4), "x", LineBytes::any), Error);
  EXPECT_THROW(text_lines("\xff\xfe", "x", LineBytes::any), Error);
}

TEST(TextLines, WhatIsNoTextIsNamedWithItsLine) {
  EXPECT_EQ(refusal("a\nc\xe9\n"), "list.txt, line 2 is not UTF-8 text: 'c?'; save the file as UTF-8.");
  EXPECT_EQ(refusal(std::string_view("a\0b\n", 4)),
            "list.txt, line 1 holds a NUL byte; a text with one entry a line is expected.");
  EXPECT_EQ(refusal(std::string_view("\xff\xfe"
                                     "a\0",
                                     4)),
            "list.txt is UTF-16 text; save it as UTF-8.");
  EXPECT_EQ(refusal(std::string_view("a\0b\0\n\0c\0", 8)), "list.txt is UTF-16 text; save it as UTF-8.");
  EXPECT_EQ(refusal(std::string_view("\0a\0\n", 4)), "list.txt is UTF-16 text; save it as UTF-8.");
}

TEST(TextLines, FilesOfAnySize) {
  const test::TemporaryDirectory folder;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + '\n';
  const Lines lines = read_text_lines(folder.write("long", text));
  ASSERT_EQ(lines.size(), 100'000U);
  EXPECT_EQ(lines[65'535], "65535");
  EXPECT_EQ(read_text_lines(folder.write("empty", "")), Lines());
  for (const auto& [path, reason] : {std::pair{folder / "absent", "No such file"},
                                     {folder.path(), "it is a folder"},
                                     {std::filesystem::path("/dev/zero"), "more than 128 MiB"}}) {
    try {
      (void)read_text_lines(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(path.string())) << error.what();
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace tpn
