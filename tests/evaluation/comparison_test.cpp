#include "engine/evaluation/comparison.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/evaluation/sample_run.h"

namespace tpn {
namespace {

/// The sample's videos as another run judged them: the first differs by 0.25, the third is wrong and not
/// readable there, the fourth is readable there, the sixth right.
ScoreTable other_table() {
  ScoreTable table{"other.jsonl", test::sample_videos(), true, true};
  table.videos[0].scores = {0.5F, 0.375F, 0.125F};
  table.videos[2].scores.clear();
  table.videos[2].error = "gone";
  table.videos[3].scores = {0, 1, 0};
  table.videos[3].error.clear();
  table.videos[5].scores = {0.375F, 0.5F, 0.125F};
  return table;
}

Comparison compare(const ScoreTable& table, const std::vector<EvaluatedVideo>& videos) {
  Comparer comparer(table, videos.size());
  for (const EvaluatedVideo& video : videos) comparer.add(video);
  return comparer.finish();
}

TEST(Comparison, CountsWhatWasWorkedOutByHand) {
  const Comparison c = compare(other_table(), test::sample_videos());
  EXPECT_EQ(c.name, "other.jsonl");
  EXPECT_EQ(c.videos, 7);
  EXPECT_EQ(c.failed_here, 2);
  EXPECT_EQ(c.failed_there, 2);
  EXPECT_EQ(c.here.hits, 3);
  EXPECT_EQ(c.here.trials, 7);
  EXPECT_EQ(c.there.hits, 4);
  EXPECT_EQ(c.right_here, 1);
  EXPECT_EQ(c.right_there, 2);
  EXPECT_DOUBLE_EQ(c.p_value, 1);
  // Both read the entries 0, 1, 4 and 5; they disagree about the last.
  EXPECT_EQ(c.agreement.trials, 4);
  EXPECT_EQ(c.agreement.hits, 3);
  EXPECT_DOUBLE_EQ(c.mean_difference, (0.25 + 0.25 + 0.0625 + 0.0625) / 12);
  ASSERT_EQ(c.largest.size(), 2U);
  EXPECT_EQ(c.largest[0].path, "clip0.mp4");
  EXPECT_DOUBLE_EQ(c.largest[0].largest, 0.25);
  EXPECT_EQ(c.largest[1].path, "clip5.mp4");
  EXPECT_EQ(c.largest[1].guess, 0);
  EXPECT_EQ(c.largest[1].other_guess, 1);
}

TEST(Comparison, GoesByPathsInAnyOrder) {
  ScoreTable table = other_table();
  std::ranges::reverse(table.videos);
  EXPECT_EQ(compare(table, test::sample_videos()).there.hits, 4);
  table.videos.erase(table.videos.begin());  // a line that is no entry, without a path
  table.videos[0].path = "elsewhere.mp4";
  const Comparison c = compare(table, test::sample_videos());
  EXPECT_EQ(c.videos, 5);
  EXPECT_EQ(c.only_here, 2);
  EXPECT_EQ(c.only_there, 1);
}

TEST(Comparison, GoesByPlacesWithoutPaths) {
  ScoreTable table = other_table();
  table.has_paths = table.has_labels = false;
  for (EvaluatedVideo& video : table.videos) video.path.clear();
  EXPECT_EQ(compare(table, test::sample_videos()).there.hits, 4);
  table.videos.pop_back();
  EXPECT_THROW((void)compare(table, test::sample_videos()), Error);
}

TEST(Comparison, KeepsPathsThatAreThereTwiceInOrder) {
  std::vector<EvaluatedVideo> videos = test::sample_videos();
  for (EvaluatedVideo& video : videos) video.path = "same.mp4";
  EXPECT_EQ(compare({"same", videos, true, true}, videos).agreement.hits, 5);
}

TEST(Comparison, IsRefusedForOtherVideos) {
  ScoreTable table = other_table();
  table.videos[1].label = 2;
  EXPECT_THROW((void)compare(table, test::sample_videos()), Error);
  table = other_table();
  for (EvaluatedVideo& video : table.videos) {
    if (video.readable()) video.scores.push_back(0);
  }
  EXPECT_THROW((void)compare(table, test::sample_videos()), Error);
  table = other_table();
  for (EvaluatedVideo& video : table.videos) video.path += "x";
  EXPECT_THROW((void)compare(table, test::sample_videos()), Error);
}

TEST(Comparison, KeepsTheTenLargestDifferences) {
  std::vector<EvaluatedVideo> here, there;
  for (std::size_t i = 0; i < 12; ++i) {
    here.push_back(test::sample_videos()[0]);
    here.back().path = std::to_string(i);
    there.push_back(here.back());
    there.back().scores[2] += static_cast<float>(i) / 32;
  }
  const Comparison c = compare({"there", there, true, true}, here);
  ASSERT_EQ(c.largest.size(), 10U);
  EXPECT_EQ(c.largest.front().path, "11");
  EXPECT_EQ(c.largest.front().of_class, 2);
  EXPECT_EQ(c.largest.back().path, "2");
}

}  // namespace
}  // namespace tpn
