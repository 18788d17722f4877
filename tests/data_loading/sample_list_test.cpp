#include "engine/data/sample_list.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using Names = std::vector<std::string>;

class SampleListTest : public testing::Test {
 protected:
  /// Makes empty files, and folders where names end with a slash.
  void make(const Names& names) {
    for (const std::string& name : names) {
      const std::filesystem::path path = folder_ / name;
      std::filesystem::create_directories(name.ends_with('/') ? path : path.parent_path());
      if (!name.ends_with('/')) folder_.write(name, "x");
    }
  }

  [[nodiscard]] SampleList read(const std::string& name, const std::string& text,
                                const SampleListOptions& options = {}) const {
    return read_sample_list(folder_.write(name, text), options);
  }

  /// "path label frames origin" of each sample, with the folder's name left out.
  [[nodiscard]] Names described(const SampleList& list) const {
    Names lines;
    for (const Sample& sample : list.samples) {
      lines.push_back(without_folder(sample.path.string()) + " " + std::to_string(sample.label) + " " +
                      std::to_string(sample.frames) + " " + without_folder(sample.origin));
    }
    return lines;
  }
  [[nodiscard]] Names faults(const SampleList& list) const {
    Names lines;
    for (const std::string& fault : list.faults) lines.push_back(without_folder(fault));
    return lines;
  }
  [[nodiscard]] std::string without_folder(std::string text) const {
    const std::string prefix = folder_.path().string() + "/";
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }
  [[nodiscard]] std::string failure(const std::string& name, const std::string& text,
                                    const SampleListOptions& options = {}) const {
    try {
      (void)read(name, text, options);
    } catch (const Error& error) {
      return without_folder(error.what());
    }
    return "";
  }

  test::TemporaryDirectory folder_;
};

TEST_F(SampleListTest, ReadsPathsAndLabels) {
  const SampleList list = read("train.txt", "a.mp4 3\nsome where/b c.mp4 0\n/abs/d.avi\t12\n\n");
  EXPECT_EQ(described(list), (Names{"a.mp4 3 0 train.txt:1", "some where/b c.mp4 0 0 train.txt:2",
                                    "/abs/d.avi 12 0 train.txt:3"}));
  EXPECT_TRUE(list.classes.empty());
  EXPECT_TRUE(list.faults.empty());
  EXPECT_EQ(class_count(list), 13);
}

TEST_F(SampleListTest, BearsMarksLineEndsAndBytesThatAreNoText) {
  EXPECT_EQ(described(read("t",
                           "\xef\xbb\xbf"
                           "a.mp4 1\r\nb.mp4 2  \r\n")),
            (Names{"a.mp4 1 0 t:1", "b.mp4 2 0 t:2"}));
  EXPECT_EQ(described(read("t", "caf\xe9.mp4 1\n")), (Names{"caf\xe9.mp4 1 0 t:1"}));
  EXPECT_NE(failure("t", std::string("\xff\xfe"
                                     "a\0.\0",
                                     6))
                .find("UTF-16"),
            std::string::npos);
}

TEST_F(SampleListTest, ResolvesPathsAgainstTheRoot) {
  SampleListOptions options;
  options.root = "/videos";
  EXPECT_EQ(described(read("t", "a/b.mp4 1\n", options)), Names{"/videos/a/b.mp4 1 0 t:1"});
}

TEST_F(SampleListTest, ReadsIdsOfVideosWithTheirFrames) {
  make({"abc.mp4"});
  EXPECT_EQ(described(read("t", "abc 300 4\ngone 300 4\n")),
            (Names{"abc.mp4 4 300 t:1", "gone 300 4 0 t:2"}));
}

TEST_F(SampleListTest, ReadsFoldersOfRawFrames) {
  make({"clip 7/"});
  EXPECT_EQ(described(read("t", "clip 7 120 4\nclip 8.mp4 3\n")),
            (Names{"clip 7 4 120 t:1", "clip 8.mp4 3 0 t:2"}));
  SampleListOptions options;
  options.raw_frames = {"img_%05d.jpg", 0};
  const SampleList list = read("t", "gone 7 120 4\nclip 4\nclip 0 4\n", options);
  EXPECT_EQ(described(list), Names{"gone 7 4 120 t:1"});
  EXPECT_EQ(faults(list),
            (Names{"t:2: a folder, the number of its frames and a label are expected, not 'clip 4'.",
                   "t:3: a folder, the number of its frames and a label are expected, not 'clip 0 4'."}));
}

TEST_F(SampleListTest, ReadsLinesOfFieldsWithAndWithoutHeading) {
  make({"100218.webm", "7/"});
  EXPECT_EQ(described(read("t.csv", "a b.mp4,1\n\"c, d.mp4\", 0\n")),
            (Names{"a b.mp4 1 0 t.csv:1", "c, d.mp4 0 0 t.csv:2"}));
  EXPECT_EQ(described(read("t.csv", "a,b.mp4\t1\n")), Names{"a,b.mp4 1 0 t.csv:1"});
  EXPECT_EQ(described(read("t.csv", "label,path\nskiing,a.mp4\nboxing,b.mp4\n")),
            (Names{"a.mp4 1 0 t.csv:2", "b.mp4 0 0 t.csv:3"}));
  EXPECT_EQ(described(read("t.csv", "100218;Dropping \"\"x\n")), Names{"100218.webm 0 0 t.csv:1"});
  EXPECT_EQ(described(read("t.txt", "7, 300, 5\n8, 20, 6\n")), (Names{"7 5 300 t.txt:1", "8 6 20 t.txt:2"}));
  EXPECT_EQ(described(read("t.csv", "video_id,num_frames,label_index\n7,300,5\n")), Names{"7 5 300 t.csv:2"});
  // A comma of a path is no delimiter.
  EXPECT_EQ(described(read("t.txt", "a, b.mp4 5\n")), Names{"a, b.mp4 5 0 t.txt:1"});
}

TEST_F(SampleListTest, FindsKineticsClipsInTheRootOrTheFolderOfTheirClass) {
  make(
      {"abc_000012_000022.mp4", "riding a bike/def_000000_000010.mkv", "ski_jumping/ghi_000001_000011.webm"});
  const SampleList list = read("train.csv",
                               "label,youtube_id,time_start,time_end,split\n"
                               "\"riding a bike\",abc,12,22,train\n"
                               "riding a bike,def,0.0,10.0,train\n"
                               "ski jumping,ghi,1,11,train\n"
                               "ski jumping,gone,1,11,train\n"
                               "ski jumping,jkl,one,11,train\n");
  EXPECT_EQ(list.classes, (Names{"riding a bike", "ski jumping"}));
  EXPECT_EQ(
      described(list),
      (Names{"abc_000012_000022.mp4 0 0 train.csv:2", "riding a bike/def_000000_000010.mkv 0 0 train.csv:3",
             "ski_jumping/ghi_000001_000011.webm 1 0 train.csv:4", "gone_000001_000011 1 0 train.csv:5"}));
  EXPECT_EQ(faults(list), Names{"train.csv:6: its times are 'one' and '11'."});
  EXPECT_EQ(failure("test.csv", "youtube_id,time_start,time_end,split\nabc,1,2,test\n"),
            "test.csv has a heading without a column for the label; its columns are 'youtube_id, time_start, "
            "time_end, split'.");
}

TEST_F(SampleListTest, ReadsSomethingSomethingsJson) {
  make({"7.webm"});
  folder_.write("labels.json", R"({"Holding something": "0", "Bending something": "1"})");
  const SampleList list = read("train.json", R"([
    {"id": "7", "label": "bending a spoon", "template": "Bending [something]", "placeholders": ["a spoon"]},
    {"id": 8, "label": "Holding something"}, {"id": "9"}, 5])");
  EXPECT_EQ(list.classes, (Names{"Holding something", "Bending something"}));
  EXPECT_EQ(described(list), (Names{"7.webm 1 0 train.json, entry 1", "8 0 0 train.json, entry 2"}));
  EXPECT_EQ(faults(list), (Names{"train.json, entry 3: it has neither a template nor a label.",
                                 "train.json, entry 4: it is no object with an id and a template."}));
  EXPECT_NE(failure("t.json", "{\"a\": 1}").find("t.json is JSON, but no list"), std::string::npos);
}

TEST_F(SampleListTest, ReadsAFolderForEachClass) {
  make({"set/walking/b.mp4", "set/walking/a.mp4", "set/walking/notes.txt", "set/Boxing/deep/c.avi",
        "set/waving/1/img_1.jpg", "set/waving/1/img_2.jpg", "set/empty/", "set/.git/x.mp4", "set/loose.mp4"});
  const SampleList list = read_sample_list(folder_ / "set");
  EXPECT_EQ(list.classes, (Names{"Boxing", "empty", "walking", "waving"}));
  EXPECT_EQ(
      described(list),
      (Names{"set/Boxing/deep/c.avi 0 0 set/Boxing/deep/c.avi", "set/walking/a.mp4 2 0 set/walking/a.mp4",
             "set/walking/b.mp4 2 0 set/walking/b.mp4", "set/waving/1 3 0 set/waving/1"}));
  ASSERT_EQ(list.warnings.size(), 2U);
  EXPECT_NE(list.warnings[0].find("1 .txt"), std::string::npos);
  EXPECT_EQ(without_folder(list.warnings[1]), "set: 1 video lies in no class's folder and was passed over.");
}

TEST_F(SampleListTest, TakesClassesThatAreKnown) {
  make({"set/walking/b.mp4", "set/Boxing/c.avi"});
  SampleListOptions options;
  options.classes = {"walking", "running"};
  const SampleList folders = read_sample_list(folder_ / "set", options);
  EXPECT_EQ(folders.classes, options.classes);
  EXPECT_EQ(described(folders), Names{"set/walking/b.mp4 0 0 set/walking/b.mp4"});
  EXPECT_EQ(faults(folders), Names{"set/Boxing: 'Boxing' is none of the 2 known classes."});
  const SampleList list = read("t.csv", "a.mp4,running\nb.mp4,boxing\n", options);
  EXPECT_EQ(described(list), Names{"a.mp4 1 0 t.csv:1"});
  EXPECT_EQ(faults(list), Names{"t.csv:2: its label 'boxing' is none of the 2 known classes."});
  EXPECT_EQ(described(read("t", "a.mp4 1\n", options)), Names{"a.mp4 1 0 t:1"});
}

TEST_F(SampleListTest, NumbersThatAreNamesStayNames) {
  SampleListOptions options;
  options.classes = {"7", "3"};
  EXPECT_EQ(described(read("t", "a.mp4 7\nb.mp4 3\n", options)), (Names{"a.mp4 0 0 t:1", "b.mp4 1 0 t:2"}));
}

TEST_F(SampleListTest, TellsEntriesThatAreNoSamples) {
  const SampleList list = read("t", "a.mp4 1\n\nb.mp4\nc.mp4 x\nd.mp4 0\n");
  EXPECT_EQ(described(list), (Names{"a.mp4 1 0 t:1", "d.mp4 0 0 t:5"}));
  EXPECT_EQ(faults(list),
            (Names{"t:2: the line is empty.", "t:3: a path and a label are expected, not 'b.mp4'.",
                   "t:4: its label 'x' is not a number, as the others of the list are."}));
  const SampleList fields = read("t.csv", "a.mp4,1\n,1\nb.mp4,\n\"c.mp4,1\na,b,c,d\n");
  EXPECT_EQ(
      faults(fields),
      (Names{"t.csv:2: it names no file.", "t.csv:3: it has no label.",
             "t.csv:4: a quote is not closed in '\"c.mp4,1'.",
             "t.csv:5: a path and a label, or a folder, its number of frames and a label are expected, not "
             "'a,b,c,d'."}));
  const SampleList latin = read("t.csv", "a.mp4,1\nb.mp4,caf\xe9\n");
  EXPECT_EQ(faults(latin), Names{"t.csv:2: its label 'caf?' is not UTF-8 text; save the list as UTF-8."});
}

TEST_F(SampleListTest, RefusesWhatIsNoList) {
  EXPECT_EQ(failure("t", "\n \n"), "t is empty; a path and a label a line are expected.");
  EXPECT_NE(failure("t", "a.mp4\nb.mp4\n").find("t is no list of samples: t:1: "), std::string::npos);
  EXPECT_THROW(read_sample_list(folder_ / "nothing.txt"), Error);
  make({"bare/a.mp4"});
  EXPECT_THROW(read_sample_list(folder_ / "bare"), Error);
  make({"none/class/notes.txt"});
  EXPECT_THROW(read_sample_list(folder_ / "none"), Error);
  SampleListOptions options;
  options.classes = {"walking"};
  EXPECT_NE(failure("t", "a.mp4 boxing\n", options).find("'boxing' is none of the 1 known classes"),
            std::string::npos);
}

}  // namespace
}  // namespace tpn
