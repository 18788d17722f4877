#include "engine/train/trainer.h"

#include <cmath>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "tests/train/tiny_training.h"

namespace tpn {
namespace {

/// On the CPU, in that precision.
class TrainerTest : public ::testing::TestWithParam<Precision>, public test::TinyTraining {
 protected:
  void SetUp() override {
    if (!supports(CpuBackend(1), GetParam())) GTEST_SKIP() << "This processor does not compute in that.";
  }

  [[nodiscard]] Trainer trainer(const TrainingOptions& options, int threads = 2) const {
    return TinyTraining::trainer(options, std::make_shared<const CpuBackend>(threads), GetParam());
  }
};

TEST_P(TrainerTest, LearnsEightClipsByHeart) {
  Trainer trainer = this->trainer({.form = {.dropout = 0, .frozen = {}}});
  expect_learned(trainer, 60);
}

TEST_P(TrainerTest, GivesTheSameFromRunToRun) {
  const auto losses = [&] {
    Trainer trainer = this->trainer({});
    std::vector<double> found;
    for (int i = 0; i < 3; ++i) found.push_back(step(trainer, {.learning_rate = 0.05, .seed = 5}).loss);
    return found;
  };
  EXPECT_EQ(losses(), losses());
}

TEST_P(TrainerTest, BeginsAnew) {
  Trainer trainer = this->trainer({});
  const auto losses = [&] {
    std::vector<double> found, seconds;
    for (int i = 0; i < 2; ++i) found.push_back(step(trainer).loss);
    fill(trainer);
    found.push_back(trainer.step_timed(labels_, {}, seconds).loss);
    EXPECT_EQ(seconds.size(), trainer.plan().steps().size());
    return found;
  };
  const std::vector<double> first = losses();
  trainer.restart(*weights_);
  EXPECT_EQ(trainer.steps(), 0);
  EXPECT_EQ(losses(), first);
}

/// What is computed again is bit-equal to what it was, so that keeping it all changes nothing but memory.
TEST_P(TrainerTest, ComputesAgainWhatItDoesNotKeep) {
  TrainingOptions all_kept;
  all_kept.recompute = false;
  Trainer lean = this->trainer({}), keeping = this->trainer(all_kept);
  for (int i = 0; i < 2; ++i) {
    const StepResult one = step(lean), other = step(keeping);
    EXPECT_EQ(one.loss, other.loss);
    EXPECT_EQ(one.gradient_norm, other.gradient_norm);
  }
  // Without the workspace, which is most of what so small a network takes.
  EXPECT_LT(static_cast<double>(lean.plan().scratch_offset()),
            0.8 * static_cast<double>(keeping.plan().scratch_offset()));
}

TEST_P(TrainerTest, DropsOthersWithAnotherSeed) {
  const auto loss = [&](std::int64_t seed) {
    Trainer trainer = this->trainer({});
    return step(trainer, {.seed = seed}).loss;
  };
  EXPECT_EQ(loss(1), loss(1));
  EXPECT_NE(loss(1), loss(2));
}

TEST_P(TrainerTest, ScalesLossesWithoutAnEffect) {
  const auto norms = [&](double scale) {
    Trainer trainer = this->trainer({.form = {.dropout = 0, .frozen = {}}});
    (void)step(trainer, {.loss_scale = scale});
    return step(trainer, {.loss_scale = scale}).gradient_norm;
  };
  EXPECT_NEAR(norms(1024), norms(1), 1e-3 * norms(1));
}

TEST_P(TrainerTest, ChangesNothingWhenGradientsOverflow) {
  Trainer trainer = this->trainer({.form = {.dropout = 0, .frozen = {}}});
  std::vector<float> before(static_cast<std::size_t>(config_.head.num_classes)), after(before);
  const auto read = [&](std::vector<float>& to) {
    trainer.store().read(
        "cls_head.fc_cls.bias",
        {reinterpret_cast<std::byte*>(to.data()), DType::f32, {static_cast<std::int64_t>(to.size())}});
  };
  read(before);
  EXPECT_FALSE(std::isfinite(step(trainer, {.loss_scale = 1e38}).gradient_norm));
  read(after);
  EXPECT_EQ(after, before);
  EXPECT_TRUE(std::isfinite(step(trainer).gradient_norm));
  read(after);
  EXPECT_NE(after, before);
}

TEST_P(TrainerTest, RefusesLabelsThatAreNoClasses) {
  Trainer trainer = this->trainer({});
  labels_.back() = config_.head.num_classes;
  EXPECT_THROW(step(trainer), Error);
  labels_.pop_back();
  EXPECT_THROW(step(trainer), Error);
  EXPECT_EQ(trainer.steps(), 0);
}

INSTANTIATE_TEST_SUITE_P(Precisions, TrainerTest, ::testing::Values(Precision::f32, Precision::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace tpn
