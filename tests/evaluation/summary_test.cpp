#include "engine/evaluation/summary.h"

#include <cmath>

#include <gtest/gtest.h>

#include "engine/report/class_rank.h"
#include "tests/evaluation/sample_run.h"

namespace tpn {
namespace {

EvaluationSummary summary_of(const EvaluationRun& run, const std::vector<EvaluatedVideo>& videos) {
  EvaluationTally tally(run);
  for (const EvaluatedVideo& video : videos) tally.add(video);
  return tally.summary();
}

TEST(RankOf, PutsEqualScoresInTheOrderOfClasses) {
  const std::vector<float> scores{0.25F, 0.5F, 0.25F, 0};
  EXPECT_EQ(best_class(scores), 1);
  EXPECT_EQ(rank_of(scores, 1), 0);
  EXPECT_EQ(rank_of(scores, 0), 1);
  EXPECT_EQ(rank_of(scores, 2), 2);
  EXPECT_EQ(rank_of(scores, 3), 3);
  EXPECT_EQ(best_class(std::vector{0.5F, 0.5F}), 0);
}

TEST(Summary, CountsWhatWasWorkedOutByHand) {
  const EvaluationSummary s = summary_of(test::sample_run(), test::sample_videos());
  EXPECT_EQ(s.entries, 7);
  EXPECT_EQ(s.failed, 2);
  EXPECT_EQ(s.damaged, 1);
  EXPECT_EQ(s.brief, 1);
  EXPECT_EQ(s.all.top1.hits, 3);
  EXPECT_EQ(s.all.top1.trials, 7);
  EXPECT_EQ(s.all.top5.hits, 5);
  EXPECT_EQ(s.readable.top1.hits, 3);
  EXPECT_EQ(s.readable.top1.trials, 5);
  EXPECT_EQ(s.readable.top5.trials, 5);
  EXPECT_NEAR(s.all.mean_class, (1.0 / 2 + 1.0 / 3 + 1) / 3, 1e-15);
  EXPECT_NEAR(s.readable.mean_class, (1.0 / 2 + 1.0 / 2 + 1) / 3, 1e-15);
  EXPECT_NEAR(s.all.top1_interval.low, 0.15821985525146973, 1e-12);
  EXPECT_EQ(s.confusion, (std::vector<std::int64_t>{1, 1, 0, 1, 1, 0, 0, 0, 1}));
  ASSERT_EQ(s.classes.size(), 3U);
  EXPECT_EQ(s.classes[1].videos, 3);
  EXPECT_EQ(s.classes[1].failed, 1);
  EXPECT_EQ(s.classes[1].hits, 1);
  EXPECT_EQ(s.classes[1].hits5, 2);
  EXPECT_EQ(s.classes[1].guesses, 2);
}

TEST(Summary, ComparesConfidenceWithAccuracy) {
  const EvaluationSummary s = summary_of(test::sample_run(), test::sample_videos());
  // 0.5 and 0.4375 in (0.4, 0.5], of which one is right; 0.75, 0.875 and 0.9375 alone.
  EXPECT_EQ(s.calibration[4].right.trials, 2);
  EXPECT_EQ(s.calibration[4].right.hits, 1);
  EXPECT_DOUBLE_EQ(s.calibration[4].confidence, 0.46875);
  EXPECT_EQ(s.calibration[7].right.hits, 1);
  EXPECT_EQ(s.calibration[8].right.hits, 0);
  EXPECT_EQ(s.calibration[9].right.trials, 1);
  EXPECT_DOUBLE_EQ(s.calibration_error, 0.25 / 5 + 0.875 / 5 + 0.0625 / 5 + 2 * 0.03125 / 5);
}

TEST(Summary, MakesProbabilitiesOfAveragedScores) {
  EvaluationRun run = test::sample_run();
  run.averaging = "score";
  EvaluatedVideo video = test::sample_videos()[0];
  video.scores = {std::log(6.0F), 0, 0};  // softmax 6/8
  const EvaluationSummary s = summary_of(run, {video});
  EXPECT_EQ(s.calibration[7].right.trials, 1);
  EXPECT_NEAR(s.calibration[7].confidence, 0.75, 1e-7);
}

TEST(Summary, NamesWhatFailedAndWhatIsOdd) {
  const EvaluationSummary s = summary_of(test::sample_run(), test::sample_videos());
  ASSERT_EQ(s.failures.size(), 2U);
  EXPECT_EQ(s.failures[0].entry, 3U);
  EXPECT_EQ(s.failures[0].origin, "val.txt:4");
  EXPECT_EQ(s.failures[0].text, "val.txt:4: clip3.mp4: there is no such file.");
  EXPECT_EQ(s.failures[1].entry, 6U);
  ASSERT_EQ(s.remarks.size(), 2U);
  EXPECT_EQ(s.remarks[0].text, "clip1.mp4: 2 frames are damaged.");
  EXPECT_EQ(s.remarks[1].text,
            "clip4.mp4: it has 50 frames, fewer than the 57 that a clip spans; frames repeat.");
}

TEST(Summary, CountsClassesThatWereOnlyGuessedInTheMean) {
  EvaluationRun run = test::sample_run();
  EvaluatedVideo right = test::sample_videos()[0];
  EvaluatedVideo wrong = test::sample_videos()[1];  // taken for class 1, which has no video
  const EvaluationSummary s = summary_of(run, {right, wrong});
  EXPECT_DOUBLE_EQ(s.all.mean_class, (0.5 + 0) / 2);
}

TEST(Summary, GroupsByLengthWithEqualOnesTogether) {
  const EvaluationSummary s = summary_of(test::sample_run(), test::sample_videos());
  EXPECT_TRUE(s.length_in_seconds);
  ASSERT_EQ(s.lengths.size(), 4U);  // 2, 4, 10 and 10, 12 seconds
  EXPECT_EQ(s.lengths[0].most, 2);
  EXPECT_EQ(s.lengths[2].top1.trials, 2);
  EXPECT_EQ(s.lengths[2].top1.hits, 1);
  EXPECT_EQ(s.lengths[3].least, 12);
  EXPECT_EQ(s.lengths[3].top1.hits, 0);
  EXPECT_EQ(s.lengths[3].top5.hits, 1);

  std::vector<EvaluatedVideo> frames = test::sample_videos();
  frames[0].seconds = 0;
  const EvaluationSummary by_frames = summary_of(test::sample_run(), frames);
  EXPECT_FALSE(by_frames.length_in_seconds);
  EXPECT_EQ(by_frames.lengths.front().least, 50);
}

TEST(Summary, HasNoSharesOfNothing) {
  const EvaluationSummary s = summary_of(test::sample_run(), {});
  EXPECT_TRUE(std::isnan(s.all.top1.share()));
  EXPECT_TRUE(std::isnan(s.all.mean_class));
  EXPECT_TRUE(s.lengths.empty());
  const EvaluationSummary failed = summary_of(test::sample_run(), {test::sample_videos()[3]});
  EXPECT_EQ(failed.all.top1.share(), 0);
  EXPECT_TRUE(std::isnan(failed.readable.top1.share()));
  EXPECT_EQ(failed.all.mean_class, 0);
}

}  // namespace
}  // namespace tpn
