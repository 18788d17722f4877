#include "engine/data/check_samples.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

const std::string videos = TPN_TEST_DATA "/video/";

/// A list named `name` of these files of tests/data/video and labels.
SampleList list_of(const std::string& name,
                   const std::vector<std::pair<std::string, std::int64_t>>& entries) {
  SampleList list;
  list.name = name;
  for (const auto& [path, label] : entries) {
    list.samples.push_back({videos + path, label, 0, name + ":" + std::to_string(list.samples.size() + 1)});
  }
  return list;
}

/// Messages without the folder's name.
std::vector<std::string> messages(const std::vector<SampleFault>& faults) {
  std::vector<std::string> texts;
  for (const SampleFault& fault : faults) {
    std::string text = fault.message;
    for (std::size_t at = text.find(videos); at != std::string::npos; at = text.find(videos)) {
      text.erase(at, videos.size());
    }
    texts.push_back(text);
  }
  return texts;
}

using Messages = std::vector<std::string>;

TEST(CheckSamples, FindsNothingWrongWithWhatIsRight) {
  const SampleList train = list_of("train", {{"odd.avi", 0}, {"vfr.mkv", 1}});
  const SampleList validation = list_of("val", {{"gray.mp4", 1}});
  EXPECT_TRUE(check_samples(train, &validation, {}).empty());
}

TEST(CheckSamples, OpensEveryFile) {
  const SampleList train =
      list_of("train", {{"odd.avi", 0}, {"no_moov.mp4", 1}, {"nothing.mp4", 0}, {"vfr.mkv", 1}});
  for (const int threads : {1, 3}) {
    CheckOptions options;
    options.threads = threads;
    std::vector<std::size_t> progress;
    options.progress = [&](std::size_t done, std::size_t of) {
      EXPECT_EQ(of, 4U);
      progress.push_back(done);
    };
    const std::vector<SampleFault> faults = check_samples(train, nullptr, options);
    ASSERT_EQ(faults.size(), 2U);
    EXPECT_EQ(faults[0].sample, 1U);
    EXPECT_EQ(faults[1].sample, 2U);
    EXPECT_TRUE(messages(faults)[0].starts_with("train:2: no_moov.mp4: it cannot be opened"))
        << faults[0].message;
    EXPECT_EQ(messages(faults)[1], "train:3: nothing.mp4: there is no such file.");
    EXPECT_EQ(progress, (std::vector<std::size_t>{1, 2, 3, 4}));
  }
}

TEST(CheckSamples, FindsVideosThatAreTooShort) {
  const SampleList train = list_of("train", {{"odd.avi", 0}, {"vfr.mkv", 0}});  // 16 and 30 frames
  CheckOptions options;
  options.least_frames = 17;
  EXPECT_EQ(messages(check_samples(train, nullptr, options)),
            Messages{"train:1: odd.avi: it has 16 frames, but 17 or more are expected."});
}

TEST(CheckSamples, FindsLabelsOutOfRange) {
  SampleList train = list_of("train", {{"odd.avi", 0}, {"vfr.mkv", 2}, {"gray.mp4", -1}, {"wide.avi", 1}});
  CheckOptions options;
  options.classes = 2;
  const Messages expected{"train:2: its label 2 is not below the number of classes, 2.",
                          "train:3: its label -1 is negative."};
  EXPECT_EQ(messages(check_samples(train, nullptr, options)), expected);
  train.classes = {"a", "b"};
  EXPECT_EQ(messages(check_samples(train, nullptr, {})), expected);
}

TEST(CheckSamples, SuspectsLabelsThatAreCountedFromOne) {
  const SampleList train = list_of("train", {{"odd.avi", 1}, {"vfr.mkv", 2}});
  CheckOptions options;
  const Messages expected{
      "train: its labels go from 1 to 2; they seem to be counted from 1, but have to be counted from 0."};
  EXPECT_EQ(messages(check_samples(train, nullptr, options)), expected);
  options.classes = 2;
  const auto faults = check_samples(train, nullptr, options);
  EXPECT_EQ(messages(faults), expected);
  EXPECT_FALSE(faults.front().skippable);
  EXPECT_FALSE(faults.front().sample.has_value());
  // With three classes they may be right.
  options.classes = 3;
  EXPECT_EQ(messages(check_samples(train, nullptr, options)),
            Messages{"train: 1 of the 3 classes has no sample: 0."});
  // Validation data need not have every class.
  const SampleList all = list_of("train", {{"gray.mp4", 0}, {"wide.avi", 1}, {"rotate30.mp4", 2}});
  EXPECT_TRUE(check_samples(all, &train, {}).empty());
}

TEST(CheckSamples, FindsFilesThatAreThereTwice) {
  const SampleList train = list_of("train", {{"odd.avi", 0}, {"vfr.mkv", 1}, {"../video/odd.avi", 1}});
  const SampleList validation = list_of("val", {{"vfr.mkv", 1}, {"gray.mp4", 1}, {"gray.mp4", 0}});
  const auto faults = check_samples(train, &validation, {});
  EXPECT_EQ(messages(faults),
            (Messages{"train:3: the same file is in train:1.", "val:1: the same file is in train:2.",
                      "val:3: the same file is in val:2."}));
  EXPECT_FALSE(faults[0].in_validation);
  EXPECT_TRUE(faults[1].in_validation);
  EXPECT_EQ(faults[1].sample, 0U);
}

TEST(CheckSamples, FindsClassesWithoutSamples) {
  SampleList train = list_of("train", {{"odd.avi", 0}, {"vfr.mkv", 8}});
  train.classes = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
  const auto faults = check_samples(train, nullptr, {});
  EXPECT_EQ(messages(faults),
            Messages{"train: 7 of the 9 classes have no sample: 'b', 'c', 'd', 'e', 'f', ...."});
  EXPECT_TRUE(faults.front().skippable);
}

TEST(CheckSamples, RepeatsWhatReadingFound) {
  SampleList train = list_of("train", {{"odd.avi", 0}});
  train.faults = {"train:2: the line is empty."};
  const auto faults = check_samples(train, nullptr, {});
  EXPECT_EQ(messages(faults), Messages{"train:2: the line is empty."});
  EXPECT_FALSE(faults.front().sample.has_value());
}

TEST(CheckSamples, NamesFilesOnceThatAreTheirOwnOrigin) {
  SampleList train;
  train.name = "set";
  train.samples = {{"set/a/nothing.mp4", 0, 0, "set/a/nothing.mp4"}};
  EXPECT_EQ(messages(check_samples(train, nullptr, {})),
            Messages{"set/a/nothing.mp4: there is no such file."});
}

}  // namespace
}  // namespace tpn
