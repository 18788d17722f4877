#include "engine/train/trainer.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference_backend.h"
#include "tests/support/changed_weights.h"
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

TEST(Trainer, PacksWhatIsFrozenOnce) {
  test::TinyTraining().expect_frozen_packed_once(std::make_shared<const CpuBackend>(2));
}

/// A plan that changes nothing keeps the forms of all parameters; steps put them out of date.
TEST_P(TrainerTest, LetsOtherPlansSeeWhatAStepChanged) {
  Trainer trainer = this->trainer({});
  const std::shared_ptr<ParameterStore> store(std::shared_ptr<void>(), &trainer.store());
  const auto plan =
      std::make_shared<const Plan>(build_network(config_, size), std::make_shared<const CpuBackend>(2),
                                   PlanOptions{.precision = GetParam()});
  EXPECT_GT(plan->kept_forms().size(), 30U);
  const auto logits = [&](Executor& executor) {
    std::ranges::fill(std::span(executor.input().data, executor.input().bytes()), std::byte{0x3F});
    executor.run();
    return executor.feature("logits").values;
  };
  Executor first(plan, store);
  const std::vector<float> before = logits(first);
  for (int i = 0; i < 2; ++i) (void)step(trainer);
  const std::vector<float> after = logits(first);
  EXPECT_NE(after, before);
  store->load(*weights_);
  EXPECT_EQ(logits(first), before);
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

/// Whatever the number of threads, where that is asked for.
TEST_P(TrainerTest, GivesTheSameWithAnyNumberOfThreads) {
  const auto losses = [&](int threads) {
    Trainer trainer =
        test::TinyTraining::trainer({}, std::make_shared<const CpuBackend>(threads, true), GetParam());
    std::vector<double> found;
    for (int i = 0; i < 3; ++i) {
      const StepResult result = step(trainer, {.learning_rate = 0.05, .seed = 5});
      found.insert(found.end(), {result.loss, result.gradient_norm});
    }
    return found;
  };
  const std::vector<double> one = losses(1);
  for (const int threads : {2, 3}) EXPECT_EQ(losses(threads), one) << threads;
}

TEST_P(TrainerTest, AveragesItsParameters) {
  TrainingOptions options;
  options.average_decay = 0.8;
  Trainer single = this->trainer(options);
  const auto one_step = [&] { (void)step(single); };
  expect_averaged(single, 0.8, one_step);
  single.restart(*weights_);
  expect_averaged(single, 0.8, one_step);

  options.batches = 2;
  Trainer grouped = this->trainer(options);
  expect_averaged(grouped, 0.8, [&] {
    for (const bool last : {false, true}) {
      fill(grouped);
      (void)grouped.add(labels_, {}, last);
    }
    (void)grouped.update({.learning_rate = 0.05});
  });
}

/// Averages take memory, and change what is learned in nothing.
TEST_P(TrainerTest, AveragesNothingUnasked) {
  TrainingOptions options;
  Trainer plain = this->trainer(options);
  options.average_decay = 0.8;
  Trainer averaging = this->trainer(options);
  std::size_t bytes = 0;
  for (const PersistentTensor& tensor : plain.persistent()) {
    EXPECT_FALSE(tensor.name.starts_with(average_name(""))) << tensor.name;
    if (tensor.role == Role::state)
      bytes += static_cast<std::size_t>(tensor.spec.shape.count()) * sizeof(float);
  }
  EXPECT_EQ(averaging.store().bytes(), plain.store().bytes() + bytes);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(step(averaging).loss, step(plain).loss);
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
  // Without kernels' workspace, which is most of what so small a network takes.
  const auto bytes = [&](const TrainingOptions& options) {
    const Plan plan(build_training_graph(config_, size, options), std::make_shared<const ReferenceBackend>(),
                    PlanOptions{});
    return static_cast<double>(plan.arena_bytes());
  };
  EXPECT_LT(bytes({}), 0.8 * bytes(all_kept));
}

/// Weight gradients that wait for the update take the place of activations, and are the same bits.
TEST_P(TrainerTest, ComputesInAnotherOrderWhereThatTakesLessMemory) {
  const InputSize small{2, 8, 32, 32};
  const auto trainer = [&](bool reorder) {
    return Trainer(config_, small, {}, std::make_shared<const CpuBackend>(2),
                   PlanOptions{.precision = GetParam(), .reorder = reorder}, *weights_);
  };
  Trainer deferring = trainer(true), plain = trainer(false);
  EXPECT_LT(deferring.plan().arena_bytes(), plain.plan().arena_bytes());
  for (int i = 0; i < 2; ++i) {
    const auto step = [&](Trainer& one) {
      fill(one);
      return one.step(std::span(labels_).first(2), {.learning_rate = 0.05});
    };
    const StepResult one = step(deferring), other = step(plain);
    EXPECT_EQ(one.loss, other.loss);
    EXPECT_EQ(one.gradient_norm, other.gradient_norm);
  }
  for (const PersistentTensor& tensor : plain.persistent()) {
    const auto values = [&](const Trainer& one) {
      const TensorView held = one.store().tensor(tensor.name, tensor.spec);
      return std::vector<std::byte>(held.data, held.data + held.bytes());
    };
    EXPECT_EQ(values(deferring), values(plain)) << tensor.name;
  }
}

/// The last batch of an epoch is smaller; it goes on from where the others left the parameters.
TEST_P(TrainerTest, TakesBatchesOfOtherSizes) {
  const auto counting = std::make_shared<const test::CountingBackend>(std::make_shared<const CpuBackend>(2));
  Trainer trainer = TinyTraining::trainer({.form = {.dropout = 0, .frozen = {}}}, counting, GetParam());
  const std::span labels(labels_);
  EXPECT_THROW((void)trainer.step(labels.first(3), {}), Error);
  const StepResult whole = step(trainer);
  EXPECT_GE(counting->allocated(), trainer.plan().arena_bytes());
  const TensorView rows = trainer.views(3);
  EXPECT_EQ(counting->allocated(), 0U) << "it does not take the memory of the usual batch";
  EXPECT_EQ(rows.shape[0], 3);
  fill(rows);
  const StepResult part = trainer.step(labels.first(3), {.learning_rate = 0.05});
  EXPECT_EQ(part.logits.size(), 3 * static_cast<std::size_t>(config_.head.num_classes));
  EXPECT_EQ(trainer.steps(), 2);
  EXPECT_NE(part.loss, whole.loss);
  EXPECT_LT(step(trainer).loss, whole.loss)
      << "what the smaller batch updated is not what the usual one reads";
}

TEST_P(TrainerTest, NamesWhatIsNotFiniteFirst) {
  Trainer trainer = this->trainer({});
  fill(trainer);
  EXPECT_EQ(trainer.first_not_finite(labels_, {}), std::nullopt);
  fill(trainer);
  const float infinite = std::numeric_limits<float>::infinity();
  const TensorView views = trainer.views();
  convert(reinterpret_cast<const std::byte*>(&infinite), DType::f32, views.data, views.dtype, 1);
  EXPECT_EQ(trainer.first_not_finite(labels_, {}), "input");

  const std::string scale = "backbone.layer2.0.conv1.bn.weight";
  std::vector<float> values(static_cast<std::size_t>(weights_->tensors().find(scale)->shape.count()),
                            infinite);
  trainer.store().write(scale, {reinterpret_cast<const std::byte*>(values.data()), DType::f32,
                                weights_->tensors().find(scale)->shape});
  fill(trainer);
  EXPECT_EQ(trainer.first_not_finite(labels_, {}),
            "backbone.layer2.0.conv1.activate");  // the norm with its ReLU
}

/// With backbone and neck frozen, what they give is the same in every epoch; behind it the step is the same.
TEST_P(TrainerTest, LearnsTheClassifierFromPooledFeatures) {
  const TrainingForm form{.dropout = 0, .frozen = {"backbone", "neck"}};
  TrainingForm head = form;
  head.from_pooled = true;
  Trainer whole = this->trainer({.form = form}), classifier = this->trainer({.form = head});
  fill(whole);
  const auto plan =
      std::make_shared<const Plan>(build_pooled_network(config_, size), std::make_shared<const CpuBackend>(2),
                                   *weights_, PlanOptions{.precision = GetParam()});
  Executor network(plan);
  std::memcpy(network.input().data, whole.views().data,
              static_cast<std::size_t>(network.input().shape.count()) * size_of(network.input().dtype));
  network.run();
  const std::vector<float> pooled = network.feature("pooled").values;
  const TensorView rows = classifier.views();
  ASSERT_EQ(rows.dtype, DType::f32);
  ASSERT_EQ(pooled.size(), static_cast<std::size_t>(rows.shape.count()));
  std::memcpy(rows.data, pooled.data(), pooled.size() * sizeof(float));
  const StepResult expected = whole.step(labels_, {}), found = classifier.step(labels_, {});
  const double tolerance = GetParam() == Precision::f32 ? 1e-5 : 1e-2;
  EXPECT_NEAR(found.loss, expected.loss, tolerance);
  EXPECT_NEAR(found.gradient_norm / expected.gradient_norm, 1, tolerance);
}

/// With running statistics in place of the batch's, what a clip gives does not depend on the others.
TEST_P(TrainerTest, KeepsRunningStatistics) {
  const auto first_logit = [&](bool batch_statistics, std::int64_t views) {
    Trainer trainer =
        this->trainer({.form = {.dropout = 0, .frozen = {}, .batch_statistics = batch_statistics}});
    fill(trainer.views(views));
    return trainer.step(std::span(labels_).first(static_cast<std::size_t>(views)), {}).logits.at(0);
  };
  EXPECT_NEAR(first_logit(false, 2), first_logit(false, 8), 1e-3);
  EXPECT_GT(std::abs(first_logit(true, 2) - first_logit(true, 8)), 1e-3);
  const std::string mean = "backbone.conv1.bn.running_mean";
  const Shape shape = weights_->tensors().find(mean)->shape;
  Trainer trainer = this->trainer({.form = {.dropout = 0, .frozen = {}, .batch_statistics = false}});
  (void)step(trainer);
  std::vector<float> kept(static_cast<std::size_t>(shape.count()));
  trainer.store().read(mean, {reinterpret_cast<std::byte*>(kept.data()), DType::f32, shape});
  EXPECT_EQ(kept, to_floats(weights_->tensors().view(*weights_->tensors().find(mean))));
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

/// As recognition does: of norms that keep their statistics, whether they are learned or not.
TEST_P(TrainerTest, NamesTheVarianceThatHasNoResult) {
  const std::string name = "backbone.layer1.0.conv2.bn.running_var";
  const TrainingForm frozen{.dropout = 0, .frozen = {"backbone.conv1", "backbone.layer1"}},
      learned{.dropout = 0, .frozen = {}, .batch_statistics = false};
  Trainer first = trainer({.form = frozen});
  weights_ = test::change_weight(directory_ / "model.safetensors", name, 3, -2);
  test::expect_variance_refused(name, [&] { (void)trainer({.form = frozen}); });
  test::expect_variance_refused(name, [&] { (void)trainer({.form = learned}); });
  test::expect_variance_refused(name, [&] { first.restart(*weights_); });
  EXPECT_NO_THROW((void)trainer({.form = {.dropout = 0, .frozen = {}}})) << "of the batch";
}

INSTANTIATE_TEST_SUITE_P(Precisions, TrainerTest, ::testing::Values(Precision::f32, Precision::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace tpn
