// Updates by the gradients of several batches, of one process or of several.
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "engine/train/trainer.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/expect_agreement.h"
#include "tests/support/thread_communicator.h"
#include "tests/train/tiny_training.h"

namespace tpn {
namespace {

using Tensors = std::map<std::string, std::vector<float>>;

/// What training leaves.
struct Trained {
  std::vector<double> losses, norms;
  Tensors tensors;
};

class GroupTest : public ::testing::Test, public test::TinyTraining {
 protected:
  /// batch: of one rank.
  [[nodiscard]] Trainer trainer(
      const TrainingOptions& options, std::int64_t batch,
      std::shared_ptr<Communicator> communicator = nullptr,
      const std::shared_ptr<const Backend>& backend = std::make_shared<const CpuBackend>(1)) const {
    InputSize own = size;
    own.views = batch;
    return {config_, own, options, backend, PlanOptions{}, *weights_, std::move(communicator)};
  }

  /// The values of the eight clips.
  [[nodiscard]] std::vector<float> clips() const {
    const Trainer trainer = TinyTraining::trainer({}, std::make_shared<const CpuBackend>(1), Precision::f32);
    fill(trainer);
    return to_floats(read_only(trainer.views()));
  }
  /// Writes those of the eight clips to the trainer's views, and returns their labels.
  std::vector<std::int64_t> take(Trainer& trainer, const std::vector<float>& clips,
                                 const std::vector<std::size_t>& which) const {
    std::vector<std::int64_t> labels;
    const std::size_t clip = clips.size() / labels_.size();
    if (which.empty()) return labels;
    auto* to = reinterpret_cast<float*>(trainer.views(std::ssize(which)).data);
    for (const std::size_t i : which) {
      to = std::copy_n(clips.begin() + static_cast<std::ptrdiff_t>(i * clip), clip, to);
      labels.push_back(labels_[i]);
    }
    return labels;
  }

  static Tensors tensors(const Trainer& trainer) {
    Tensors result;
    for (const PersistentTensor& tensor : trainer.persistent()) {
      if (tensor.spec.kind == Kind::index) continue;
      std::vector<float>& values = result[tensor.name];
      values.resize(static_cast<std::size_t>(tensor.spec.shape.count()));
      trainer.store().read(tensor.name,
                           {reinterpret_cast<std::byte*>(values.data()), DType::f32, tensor.spec.shape});
    }
    return result;
  }

  /// Two updates, each by the gradients of batches of those clips.
  Trained train(Trainer& trainer, const std::vector<std::vector<std::size_t>>& batches,
                const std::vector<float>& class_weights = {}) const {
    const std::vector<float> values = clips();
    Trained trained;
    for (int update = 0; update < 2; ++update) {
      for (std::size_t i = 0; i < batches.size(); ++i) {
        const auto labels = take(trainer, values, batches[i]);
        (void)trainer.add(labels, {}, i + 1 == batches.size(), class_weights);
      }
      const StepResult result = trainer.update({.learning_rate = 0.05});
      trained.losses.push_back(result.loss);
      trained.norms.push_back(result.gradient_norm);
    }
    trained.tensors = tensors(trainer);
    return trained;
  }
  /// Two steps of all eight clips at once.
  Trained train_at_once(const TrainingOptions& options, const std::vector<float>& class_weights = {}) const {
    Trainer trainer = this->trainer(options, 8);
    Trained trained;
    for (int update = 0; update < 2; ++update) {
      fill(trainer);
      const StepResult result = trainer.step(labels_, {.learning_rate = 0.05}, class_weights);
      trained.losses.push_back(result.loss);
      trained.norms.push_back(result.gradient_norm);
    }
    trained.tensors = tensors(trainer);
    return trained;
  }

  static constexpr TrainingForm without_norms{.dropout = 0, .frozen = {}, .batch_statistics = false};
  static constexpr double tolerance = 2e-4;
};

/// Relative L2 of each tensor's difference, where it is not all but zero.
void expect_near(const Trained& found, const Trained& expected, double tolerance, bool statistics = true) {
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_NEAR(found.losses[i], expected.losses[i], tolerance) << i;
    EXPECT_NEAR(found.norms[i] / expected.norms[i], 1, tolerance) << i;
  }
  ASSERT_EQ(found.tensors.size(), expected.tensors.size());
  for (const auto& [name, values] : expected.tensors) {
    if (!statistics && name.find("running") != std::string::npos) continue;
    ASSERT_TRUE(found.tensors.contains(name)) << name;
    const std::vector<float>& own = found.tensors.at(name);
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      difference += std::pow(static_cast<double>(own[i]) - static_cast<double>(values[i]), 2);
      norm += std::pow(static_cast<double>(values[i]), 2);
    }
    EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(norm) + 1e-5) << name;
  }
}

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

/// Trains on ranks that are threads; the last rank's result, after it was compared with the others'.
class RanksTest : public GroupTest {
 protected:
  Trained train_ranks(const TrainingOptions& options, std::int64_t batch,
                      const std::vector<std::vector<std::vector<std::size_t>>>& batches_of_ranks) const {
    std::mutex mutex;
    std::vector<Trained> all;
    test::run_ranks(static_cast<int>(options.ranks), [&](const std::shared_ptr<Communicator>& communicator) {
      Trainer trainer = this->trainer(options, batch, communicator);
      Trained trained = train(trainer, batches_of_ranks[static_cast<std::size_t>(communicator->rank())]);
      const std::lock_guard lock(mutex);
      all.push_back(std::move(trained));
    });
    for (const Trained& other : all) {
      EXPECT_EQ(other.tensors, all.back().tensors) << "ranks have drifted apart";
      EXPECT_EQ(other.losses, all.back().losses);
    }
    return all.back();
  }
};

TEST_F(RanksTest, AreOneLargeBatch) {
  TrainingOptions options{.form = without_norms};
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
