#include "engine/model/labels.h"

#include <set>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::TemporaryDirectory;

TEST(Labels, BuiltInListsAreComplete) {
  const std::vector<std::string>& kinetics = builtin_labels("kinetics400");
  ASSERT_EQ(kinetics.size(), 400);
  EXPECT_EQ(kinetics.front(), "abseiling");
  EXPECT_EQ(kinetics[5], "arm wrestling");
  EXPECT_EQ(kinetics.back(), "zumba");
  EXPECT_EQ(std::set<std::string>(kinetics.begin(), kinetics.end()).size(), 400);
  const std::vector<std::string>& something = builtin_labels("something_something_v1");
  ASSERT_EQ(something.size(), 174);
  EXPECT_EQ(something.front(), "Holding something");
  EXPECT_EQ(std::set<std::string>(something.begin(), something.end()).size(), 174);
  EXPECT_THROW(builtin_labels("imagenet"), Error);
}

TEST(Labels, ReadsOneALine) {
  const TemporaryDirectory folder;
  const auto path = folder.write("labels.txt", "  first \r\nsecond one\n\xc3\xa4\n\n\n");
  EXPECT_EQ(read_labels(path), (std::vector<std::string>{"first", "second one", "\xc3\xa4"}));
  EXPECT_EQ(read_labels(folder.write("short.txt", "one")), std::vector<std::string>{"one"});
}

TEST(Labels, RefusesGapsAndNothing) {
  const TemporaryDirectory folder;
  EXPECT_THROW(read_labels(folder.write("gap.txt", "a\n\nb\n")), Error);
  EXPECT_THROW(read_labels(folder.write("empty.txt", "\n")), Error);
  EXPECT_THROW(read_labels(folder / "absent.txt"), Error);
  EXPECT_THROW(read_labels(folder.path()), Error);
}

}  // namespace
}  // namespace tpn
