// Updates by the gradients of several batches, of one process or of several.
#include <cmath>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "tests/train/group_training.h"

namespace tpn {
namespace {

using test::expect_near;
using test::Tensors;
using test::Trained;

class GroupTest : public ::testing::Test, public test::GroupTraining {
 protected:
  GroupTest() : GroupTraining([] { return std::make_shared<const CpuBackend>(1); }) {}
};
class RanksTest : public GroupTest {};

TEST_F(GroupTest, OfBatchesIsOneLargeBatch) {
  TrainingOptions options{.form = without_norms};
  const Trained at_once = train_at_once(options);
  options.batches = 2;
  options.bucket_bytes = 2000;  // many of them
  Trainer halves = trainer(options, 4);
  expect_near(train(halves, {{0, 1, 2, 3}, {4, 5, 6, 7}}), at_once, tolerance);
  EXPECT_EQ(halves.steps(), 2);
  // Clips count alike where batches are of several sizes, and one may be missing.
  options.batches = 4;
  Trainer parts = trainer(options, 4);
  expect_near(train(parts, {{7}, {}, {0, 1, 2, 3}, {4, 5, 6}}), at_once, tolerance);
}

TEST_F(GroupTest, CountsClipsByTheWeightsOfTheirClasses) {
  TrainingOptions options{.form = without_norms, .class_weights = true};
  std::vector<float> weights(static_cast<std::size_t>(config_.head.num_classes), 1);
  weights[0] = 5;
  const Trained at_once = train_at_once(options, weights);
  options.batches = 2;
  Trainer halves = trainer(options, 5);
  expect_near(train(halves, {{0, 1, 2, 3, 4}, {5, 6, 7}}, weights), at_once, tolerance);
}

TEST_F(GroupTest, WithoutClipsChangesNothing) {
  Trainer trainer = this->trainer({.form = without_norms, .batches = 2}, 4);
  const Tensors before = tensors(trainer);
  const Trained trained = train(trainer, {{}, {}});
  EXPECT_EQ(trained.tensors, before);
  EXPECT_EQ(trainer.steps(), 0);
}

TEST_F(GroupTest, BeginsItsSumsAnew) {
  const TrainingOptions options{.form = without_norms, .batches = 2};
  Trainer trainer = this->trainer(options, 4), other = this->trainer(options, 4);
  const std::vector<float> values = clips();
  const auto labels = take(trainer, values, {0, 1, 2, 3});
  (void)trainer.add(labels, {}, false);
  trainer.restart(*weights_);  // in the middle of a group
  const std::vector<std::vector<std::size_t>> batches{{0, 1, 2, 3}, {4, 5, 6, 7}};
  EXPECT_EQ(train(trainer, batches).tensors, train(other, batches).tensors);
}

TEST_F(GroupTest, DropsOthersInEachOfItsBatches) {
  Trainer trainer =
      this->trainer({.form = {.dropout = 0.5, .frozen = {}, .batch_statistics = false}, .batches = 2}, 4);
  const std::vector<float> values = clips();
  std::vector<double> losses;
  for (const bool last : {false, true}) {
    const auto labels = take(trainer, values, {0, 1, 2, 3});
    losses.push_back(trainer.add(labels, {}, last).loss);
  }
  EXPECT_NE(losses[0], losses[1]);
}

TEST_F(RanksTest, AreOneLargeBatch) {
  TrainingOptions options{.form = without_norms, .average_decay = 0.8};
  const Trained at_once = train_at_once(options);
  options.bucket_bytes = 2000;
  options.ranks = 2;
  expect_near(train_ranks(options, 4, {{{0, 2, 4, 6}}, {{1, 3, 5, 7}}}), at_once, tolerance);
  options.ranks = 3;  // of which one has no clips
  expect_near(train_ranks(options, 4, {{{0, 1, 2, 3}}, {{}}, {{4, 5, 6, 7}}}), at_once, tolerance);
  options.ranks = options.batches = 2;
  expect_near(train_ranks(options, 3, {{{0, 2, 4}, {6, 7}}, {{1, 3, 5}, {}}}), at_once, tolerance);
}

/// The statistics of batch norms are those of all clips, whichever rank has them.
TEST_F(RanksTest, WithSynchronizedNormsAreOneLargeBatch) {
  TrainingOptions options{.form = {.dropout = 0, .frozen = {}}};
  const Trained at_once = train_at_once(options);
  options.ranks = 2;
  const std::vector<std::vector<std::vector<std::size_t>>> halves{{{0, 2, 4, 6}}, {{1, 3, 5, 7}}};
  const auto off = [&](const Trained& trained) {
    return std::abs(trained.losses[0] - at_once.losses[0]) > 1e-3;
  };
  EXPECT_TRUE(off(train_ranks(options, 4, halves))) << "the test could not tell";
  options.synchronized = true;
  expect_near(train_ranks(options, 4, halves), at_once, 2e-3);
  // Batches of several sizes, and of none.
  options.ranks = 3;
  expect_near(train_ranks(options, 5, {{{0, 1, 2, 3, 4}}, {{5, 6, 7}}, {{}}}), at_once, 2e-3);
}

/// What each has kept of its own batches becomes the mean.
TEST_F(RanksTest, AgreeOnRunningStatistics) {
  const TrainingOptions options{.form = {.dropout = 0, .frozen = {}}, .ranks = 2};
  const Tensors both = train_ranks(options, 4, {{{0, 2, 4, 6}}, {{1, 3, 5, 7}}}).tensors;
  Trainer first = trainer({.form = options.form}, 4), second = trainer({.form = options.form}, 4);
  const std::vector<float> values = clips();
  const std::string mean = "backbone.conv1.bn.running_mean";  // which no update of weights has reached yet
  std::vector<Tensors> alone;
  for (const auto& [trainer, which] :
       {std::pair<Trainer*, std::vector<std::size_t>>{&first, {0, 2, 4, 6}}, {&second, {1, 3, 5, 7}}}) {
    for (int i = 0; i < 2; ++i) {
      const auto labels = take(*trainer, values, which);
      (void)trainer->step(labels, {.learning_rate = 0});
    }
    alone.push_back(tensors(*trainer));
  }
  for (std::size_t c = 0; c < both.at(mean).size(); ++c) {
    EXPECT_NEAR(both.at(mean)[c], (alone[0].at(mean)[c] + alone[1].at(mean)[c]) / 2, 1e-2) << c;
    EXPECT_NE(both.at(mean)[c], alone[0].at(mean)[c]);
  }
}

TEST_F(RanksTest, EndWhenOneFails) {
  const TrainingOptions options{.form = without_norms, .ranks = 2};
  try {
    test::run_ranks(2, [&](const std::shared_ptr<Communicator>& communicator) {
      Trainer trainer = this->trainer(options, 4, communicator);
      if (communicator->rank() == 1) throw Error("clip7.mp4 cannot be decoded.");
      EXPECT_THROW((void)train(trainer, {{0, 1, 2, 3}}), RankFailure);
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "clip7.mp4 cannot be decoded.");
  }
}

}  // namespace
}  // namespace tpn
