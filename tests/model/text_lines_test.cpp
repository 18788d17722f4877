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
}

TEST(TextLines, WhatIsNoTextIsNamedWithItsLine) {
  EXPECT_EQ(refusal("a\nc\xe9\n"), "list.txt, line 2 is not UTF-8 text: 'c?'; save the file as UTF-8.");
  EXPECT_EQ(refusal(std::string_view("a\0b\n", 4)),
            "list.txt, line 1 holds a NUL byte; a text with one entry a line is expected.");
  EXPECT_EQ(refusal(std::string_view("\xff\xfe"
                                     "a\0",
                                     4)),
            "list.txt is UTF-16 text; save it as UTF-8.");
}

TEST(TextLines, FilesOfAnySize) {
  const test::TemporaryDirectory folder;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + '\n';
  const Lines lines = read_text_lines(folder.write("long", text));
  ASSERT_EQ(lines.size(), 100'000U);
  EXPECT_EQ(lines[65'535], "65535");
  EXPECT_EQ(read_text_lines(folder.write("empty", "")), Lines());
  EXPECT_THROW(read_text_lines(folder / "absent"), Error);
  EXPECT_THROW(read_text_lines(folder.path()), Error);
}

}  // namespace
}  // namespace tpn
