#include "apps/input_list.h"

#include <filesystem>
#include <sstream>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn::app {
namespace {

using Names = std::vector<std::string>;
using namespace std::string_literals;

Inputs expand_all(const Names& names, const std::string& standard_input = {},
                  const InputOptions& options = {}) {
  std::istringstream input(standard_input);
  return expand_inputs(names, input, options);
}

Names expand(const Names& names, const std::string& standard_input = {}) {
  return expand_all(names, standard_input).names;
}

std::string refusal(const Names& names, const std::string& standard_input = {},
                    const InputOptions& options = {}) {
  try {
    (void)expand_all(names, standard_input, options);
    return "taken";
  } catch (const Error& error) {
    return error.what();
  }
}

/// A folder of empty files, and of folders where names end with a slash.
class Tree {
 public:
  explicit Tree(const Names& names) {
    for (const std::string& name : names) {
      const std::filesystem::path path = folder_ / name;
      if (name.ends_with('/')) {
        std::filesystem::create_directories(path);
      } else {
        std::filesystem::create_directories(path.parent_path());
        folder_.write(name, "x");
      }
    }
  }
  [[nodiscard]] std::string root() const { return folder_.path().string(); }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  /// Those names below the root.
  [[nodiscard]] Names with_root(Names names) const {
    for (std::string& name : names) name = root() + "/" + name;
    return names;
  }

 private:
  test::TemporaryDirectory folder_;
};

TEST(InputList, LeavesOtherNamesAlone) {
  EXPECT_EQ(expand({"b.mp4", "/nonexistent/a", "https://example.org/v.mp4", "b.mp4"}),
            (Names{"b.mp4", "/nonexistent/a", "https://example.org/v.mp4", "b.mp4"}));
  EXPECT_TRUE(expand({}).empty());
}

TEST(InputList, OpensFoldersOfVideos) {
  const Tree tree({"10.mp4", "9.MP4", "b.avi", "c.wmv", "notes.txt", "more.txt", "cover.jpg", "README",
                   ".hidden.mp4", "._9.MP4", "__MACOSX/x.mp4", ".git/x.mp4", "folder.mp4/"});
  const Names videos = tree.with_root({"9.MP4", "10.mp4", "b.avi", "c.wmv"});
  EXPECT_EQ(expand({tree.root()}), videos);
  EXPECT_EQ(expand({"-"}, tree.root() + "\n"), videos);
  EXPECT_EQ(expand({tree.root() + "/folder.mp4"}), tree.with_root({"folder.mp4"}));
  EXPECT_EQ(expand_all({tree.root()}).warnings,
            Names{tree.root() + ": 4 files were skipped whose names are not those of videos (2 .txt, 1 .jpg, "
                                "1 without an ending)."});
}

TEST(InputList, OpensFoldersBelow) {
  const Tree tree({"train/b/2.mkv", "train/b/10.mkv", "train/a.webm", "val/1/img_1.jpg", "val/1/img_2.jpg",
                   "val/2/img_1.jpg", "val/10/img_1.jpg", "val/10/img_2.jpg", "labels.csv", "empty/deep/"});
  EXPECT_EQ(expand({tree.root()}),
            tree.with_root({"train/a.webm", "train/b/2.mkv", "train/b/10.mkv", "val/1", "val/2", "val/10"}));
  EXPECT_EQ(expand_all({tree.root()}).warnings.size(), 1U);
  EXPECT_EQ(expand({tree.root() + "/val"}), tree.with_root({"val/1", "val/2", "val/10"}));
}

TEST(InputList, TellsFoldersOfFramesFromFoldersWithImages) {
  const Tree frames({"img_1.jpg", "img_2.jpg", "img_3.jpg", "flow_x/1.jpg", "flow_y/1.jpg"});
  EXPECT_EQ(expand({frames.root()}), Names{frames.root()});
  EXPECT_EQ(expand_all({frames.root()}).warnings,
            Names{frames.root() + ": 2 folders were skipped that lie in folders of frames."});
  EXPECT_EQ(expand({frames.root() + "/"}), Names{frames.root() + "/"}) << "as it was named";
  const Tree data({"clip1/1.jpg", "clip2/1.jpg", "cover.jpg", "logo.png"});
  EXPECT_EQ(expand({data.root()}), data.with_root({"clip1", "clip2"}));
  EXPECT_EQ(
      expand_all({data.root()}).warnings,
      Names{data.root() + ": 2 files were skipped whose names are not those of videos (1 .jpg, 1 .png)."});
  const Tree videos({"a.mp4", "thumbs/1.jpg", "thumbs/2.jpg"});
  EXPECT_EQ(expand({videos.root()}), videos.with_root({"a.mp4", "thumbs"}));
  const Tree album({"a.mp4", "1.jpg", "2.jpg", "3.jpg"});
  EXPECT_EQ(expand({album.root()}), album.with_root({"a.mp4"}));
  const Tree one({"img_1.jpg"});
  EXPECT_EQ(expand({one.root()}), Names{one.root()});
  const Tree named({"a/f1.xyz", "a/f2.xyz", "b/1.jpg"});
  EXPECT_EQ(expand_all({named.root()}, {}, {.frames = "f%d.xyz"}).names, named.with_root({"a"}));
  EXPECT_EQ(expand({named.root()}), named.with_root({"b"}));
}

TEST(InputList, LinksDoNotLoop) {
  const Tree tree({"b/1.mp4", "c/2.mp4"});
  std::filesystem::create_directory_symlink(tree.root(), tree / "b/up");
  std::filesystem::create_directory_symlink(tree / "c", tree / "b/again");
  std::filesystem::create_symlink("nothing.mp4", tree / "gone.mp4");
  EXPECT_EQ(expand({tree.root()}), tree.with_root({"b/1.mp4", "b/again/2.mp4", "gone.mp4"}));
}

TEST(InputList, ReadsLists) {
  const test::TemporaryDirectory directory;
  const auto list = [&](const std::string& text) { return "@" + directory.write("list", text).string(); };
  EXPECT_EQ(expand({"first", list("a b.mp4\r\n\n  \n@c\n-"), "-"}, "x\ny"),
            (Names{"first", "a b.mp4", "@c", "-", "x", "y"}));
  EXPECT_EQ(expand({list("\xef\xbb\xbf"
                         "a.mp4\r\n b.mp4 \r\n")}),
            (Names{"a.mp4", " b.mp4 "}));
  EXPECT_EQ(expand({list("\xe9t\xe9.mp4\n")}), Names{"\xe9t\xe9.mp4"}) << "names need not be UTF-8";
  EXPECT_EQ(expand({"@/dev/null"}), Names());
  EXPECT_EQ(expand_all({list("")}).warnings, Names{directory.path().string() + "/list names no videos."});
  EXPECT_EQ(expand_all({"-"}, "\n \n").warnings, Names{"Standard input names no videos."});
}

TEST(InputList, ReadsNamesThatEndWithNul) {
  const InputOptions null{.null_separated = true};
  EXPECT_EQ(expand_all({"-"}, "a\nb.mp4\0 c.mp4\0\0d.mp4"s, null).names,
            (Names{"a\nb.mp4", " c.mp4", "d.mp4"}));
  EXPECT_EQ(expand_all({"-"}, "", null).warnings, Names{"Standard input names no videos."});
  EXPECT_EQ(refusal({"-"}, "a.mp4\0b.mp4\0"s),
            "Standard input has NUL bytes and no line ends in it; lists of names that end with NUL bytes "
            "need --null.");
}

TEST(InputList, RefusesWhatIsNoList) {
  const test::TemporaryDirectory directory;
  const std::string folder = directory.path().string();
  EXPECT_TRUE(refusal({"@/nonexistent"}).starts_with("/nonexistent cannot be read"));
  EXPECT_EQ(refusal({"@" + folder}), folder + " cannot be read: it is a folder; a text file is expected.");
  EXPECT_EQ(refusal({"@"}), "After @ the name of a list is expected.");
  EXPECT_EQ(refusal({"-", "-"}), "Standard input (-) can be read only once.");
  EXPECT_EQ(refusal({"-"},
                    "\xff\xfe"
                    "a\0\n\0"s),
            "Standard input is UTF-16 text; save it as UTF-8.");
  EXPECT_EQ(refusal({"-"}, "a\n" + std::string(5000, 'x') + "\n"),
            "Standard input, line 2 has 5000 bytes; no name of a video is that long.");
  EXPECT_EQ(refusal({"-"}, std::string(5000, 'x'), {.null_separated = true}),
            "Standard input, name 1 has 5000 bytes; no name of a video is that long.");
  EXPECT_EQ(refusal({"-"}, "https://example.org/" + std::string(5000, 'x')), "taken");
}

}  // namespace
}  // namespace tpn::app
