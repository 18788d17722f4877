#include "engine/evaluation/evaluation_list.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using Names = std::vector<std::string>;

class EvaluationLists : public testing::Test {
 protected:
  [[nodiscard]] EvaluationList read(const std::string& text, const Names& classes,
                                    const SampleListOptions& options = {},
                                    const std::string& name = "val.txt") const {
    return read_evaluation_list(folder_.write(name, text), classes, options);
  }
  void expect_refused(const std::string& text, const Names& classes, const std::string& part) const {
    try {
      (void)read(text, classes);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  test::TemporaryDirectory folder_;
};

TEST_F(EvaluationLists, KeepEveryLine) {
  const EvaluationList list = read("a.mp4 0\nb.mp4 x\nsub/c.mp4 2\nd.mp4 3\na.mp4 1\n", {"p", "q", "r"});
  ASSERT_EQ(list.entries.size(), 5U);
  EXPECT_EQ(list.entries[0].path, "a.mp4");
  EXPECT_EQ(list.entries[0].label, 0);
  EXPECT_TRUE(list.entries[0].origin.ends_with("val.txt:1"));
  EXPECT_EQ(list.entries[1].path, "sub/c.mp4");
  EXPECT_EQ(list.inputs[1].name, (folder_ / "sub/c.mp4").string());
  EXPECT_NE(list.entries[2].error.find("its label 3 is none of the model's 3 classes"), std::string::npos);
  EXPECT_EQ(list.entries[2].label, -1);
  EXPECT_EQ(list.inputs[2].name, "");
  EXPECT_NE(list.entries[4].error.find("'x'"), std::string::npos) << list.entries[4].error;
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(list.entries[i].entry, i);
  ASSERT_EQ(list.warnings.size(), 1U);
  EXPECT_NE(list.warnings[0].find("counts twice"), std::string::npos);
}

TEST_F(EvaluationLists, TakeNamesInTheModelsOrder) {
  const EvaluationList list = read("path,label\na.mp4,walk\nb.mp4,run\n", {"run", "sit", "walk"});
  EXPECT_EQ(list.entries[0].label, 2);
  EXPECT_EQ(list.entries[1].label, 0);
  EXPECT_EQ(list.classes, (Names{"run", "sit", "walk"}));
  const EvaluationList unnamed = read("path,label\na.mp4,walk\nb.mp4,run\n", {"", ""});
  EXPECT_EQ(unnamed.classes, (Names{"run", "walk"}));
  EXPECT_EQ(unnamed.warnings.size(), 1U);
  expect_refused("path,label\na.mp4,walk\nb.mp4,run\n", {"", "", ""}, "--labels");
}

TEST_F(EvaluationLists, AreRefusedWhenCountedFromOne) {
  expect_refused("a.mp4 1\nb.mp4 2\nc.mp4 3\n", {"p", "q", "r"}, "counted from 1");
  EXPECT_EQ(read("a.mp4 1\nb.mp4 2\n", {"p", "q", "r"}).entries[1].label, 2);
}

TEST_F(EvaluationLists, CountFramesOfFolders) {
  const EvaluationList list =
      read("one 12 0\ntwo 7 1\n", {"p", "q"}, {.raw_frames = {.pattern = "img_{:05}.jpg"}});
  EXPECT_EQ(list.inputs[0].frames, 12);
  EXPECT_EQ(list.inputs[1].frames, 7);
}

TEST_F(EvaluationLists, HaveADigestThatDoesNotDependOnTheRoot) {
  const Names classes{"p", "q"};
  const std::string digest = read("a.mp4 0\nb.mp4 1\n", classes).digest();
  const test::TemporaryDirectory elsewhere;
  EXPECT_EQ(read("a.mp4 0\nb.mp4 1\n", classes, {.root = elsewhere.path()}).digest(), digest);
  EXPECT_NE(read("a.mp4 0\nb.mp4 0\n", classes).digest(), digest);
  EXPECT_NE(read("a.mp4 0\nc.mp4 1\n", classes).digest(), digest);
  EXPECT_NE(read("b.mp4 1\na.mp4 0\n", classes).digest(), digest);
}

}  // namespace
}  // namespace tpn
