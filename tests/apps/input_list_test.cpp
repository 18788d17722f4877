#include "apps/input_list.h"

#include <sstream>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn::app {
namespace {

std::vector<std::string> expand(const std::vector<std::string>& names,
                                const std::string& standard_input = {}) {
  std::istringstream input(standard_input);
  return expand_inputs(names, input);
}

TEST(InputList, LeavesOtherNamesAlone) {
  EXPECT_EQ(expand({"b.mp4", "/nonexistent/a", "https://example.org/v.mp4", "b.mp4"}),
            (std::vector<std::string>{"b.mp4", "/nonexistent/a", "https://example.org/v.mp4", "b.mp4"}));
  EXPECT_TRUE(expand({}).empty());
}

TEST(InputList, OpensFoldersOfVideos) {
  const test::TemporaryDirectory directory;
  for (const char* name : {"10.mp4", "9.MP4", "b.avi", "notes.txt", "cover.jpg"}) {
    (void)directory.write(name, "x");
  }
  std::filesystem::create_directory(directory / "folder.mp4");
  const std::string folder = directory.path().string();
  const std::vector<std::string> videos{folder + "/9.MP4", folder + "/10.mp4", folder + "/b.avi"};
  EXPECT_EQ(expand({folder}), videos);
  EXPECT_EQ(expand({"-"}, folder + "\n"), videos);
  EXPECT_EQ(expand({folder + "/folder.mp4"}), (std::vector<std::string>{folder + "/folder.mp4"}));
}

TEST(InputList, ReadsLists) {
  const test::TemporaryDirectory directory;
  const std::string list = directory.write("list", "a b.mp4\r\n\n  \n@c\n-").string();
  EXPECT_EQ(expand({"first", std::string("@").append(list), "-"}, "x\ny"),
            (std::vector<std::string>{"first", "a b.mp4", "@c", "-", "x", "y"}));
  EXPECT_THROW(expand({"@/nonexistent"}), Error);
  EXPECT_THROW(expand({std::string("@").append(directory.path().string())}), Error);
}

}  // namespace
}  // namespace tpn::app
