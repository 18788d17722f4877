#include "engine/finetuning/score.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

namespace tpn {
namespace {

TEST(Score, IsThatOfTheSoftmax) {
  const std::array<float, 3> logits{1, 3, 2};
  const ScoredClip clip = score_views(7, 2, logits, 3, "prob");
  const double sum = std::exp(1) + std::exp(2) + std::exp(3);
  EXPECT_EQ(clip.sample, 7U);
  EXPECT_EQ(clip.rank, 1);
  EXPECT_NEAR(clip.loss, std::log(sum) - 2, 1e-12);
  ASSERT_EQ(clip.guesses.size(), 3U);
  EXPECT_EQ(clip.guesses[0].label, 1);
  EXPECT_EQ(clip.guesses[2].label, 0);
  EXPECT_NEAR(clip.guesses[0].score, std::exp(3) / sum, 1e-12);
}

TEST(Score, DoesNotOverflowAndPrefersTheLowerIndex) {
  const std::array<float, 3> logits{1000, 1000, -1000};
  EXPECT_NEAR(score_views(0, 0, logits, 3, "prob").loss, std::log(2), 1e-12);
  EXPECT_EQ(score_views(0, 0, logits, 3, "prob").rank, 0);
  EXPECT_EQ(score_views(0, 1, logits, 3, "prob").rank, 1);
  EXPECT_NEAR(score_views(0, 2, logits, 3, "prob").loss, 2000 + std::log(2), 1e-9);
}

/// Of two views, of which each prefers another class.
TEST(Score, AveragesViews) {
  const std::array<float, 6> logits{4, 0, 3, 0, 2, 1};
  const auto softmax = [&](std::size_t view, std::size_t k) {
    double sum = 0;
    const auto power = [&](std::size_t j) { return std::exp(static_cast<double>(logits[3 * view + j])); };
    for (std::size_t j = 0; j < 3; ++j) sum += power(j);
    return power(k) / sum;
  };
  const ScoredClip of_probabilities = score_views(0, 2, logits, 3, "prob");
  EXPECT_NEAR(of_probabilities.loss, -std::log((softmax(0, 2) + softmax(1, 2)) / 2), 1e-12);
  EXPECT_EQ(of_probabilities.rank, 2);
  EXPECT_EQ(of_probabilities.guesses[0].label, 0);
  EXPECT_NEAR(of_probabilities.guesses[0].score, (softmax(0, 0) + softmax(1, 0)) / 2, 1e-12);
  const ScoredClip of_scores = score_views(0, 2, logits, 3, "score");  // 2, 1, 2
  EXPECT_EQ(of_scores.rank, 1);
  EXPECT_NEAR(of_scores.loss, std::log(2 * std::exp(2) + std::exp(1)) - 2, 1e-12);
}

/// Labels and first guesses; seven classes, of which some are in neither.
TEST(Score, SummarizesClips) {
  const auto clip = [](std::int64_t label, std::int64_t guess, std::int64_t rank) {
    return ScoredClip{
        .label = label, .loss = static_cast<double>(rank), .rank = rank, .guesses = {{guess, 1}}};
  };
  const Validation found = summarize({clip(0, 0, 0), clip(0, 1, 5), clip(1, 1, 0), clip(2, 3, 4)}, 7);
  EXPECT_DOUBLE_EQ(found.accuracy.loss, 9.0 / 4);
  EXPECT_DOUBLE_EQ(found.accuracy.top1, 0.5);
  EXPECT_DOUBLE_EQ(found.accuracy.top5, 0.75);
  EXPECT_DOUBLE_EQ(found.accuracy.mean_class, (0.5 + 1 + 0 + 0) / 4);  // class 3 was guessed only
  EXPECT_EQ(found.confusion[0 * 7 + 1], 1);
  EXPECT_EQ(found.confusion[2 * 7 + 3], 1);
  EXPECT_EQ(found.confusion[3 * 7 + 2], 0);
}

}  // namespace
}  // namespace tpn
