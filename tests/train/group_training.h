// Training by the gradients of several batches, of one process or of several that are threads, on any
// backend.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/train/trainer.h"
#include "kernels/convert.h"
#include "tests/support/thread_communicator.h"
#include "tests/train/tiny_training.h"

namespace tpn::test {

using Tensors = std::map<std::string, std::vector<float>>;

/// What training leaves.
struct Trained {
  std::vector<double> losses, norms;
  Tensors tensors;
};

class GroupTraining : public TinyTraining {
 public:
  /// make_backend: of each trainer its own.
  using JoinDevices = std::function<std::shared_ptr<Collectives>(Communicator&)>;

  /// join: the devices of several ranks; null where they exchange by way of the host.
  explicit GroupTraining(std::function<std::shared_ptr<const Backend>()> make_backend,
                         JoinDevices join = nullptr)
      : make_backend_(std::move(make_backend)), join_(std::move(join)) {}

  /// batch: of one rank.
  [[nodiscard]] Trainer trainer(const TrainingOptions& options, std::int64_t batch,
                                std::shared_ptr<Communicator> communicator = nullptr) const {
    InputSize own = size;
    own.views = batch;
    const auto backend = make_backend_();
    const auto collectives = communicator && join_ ? join_(*communicator) : nullptr;
    return {config_, own, options, backend, PlanOptions{}, *weights_, std::move(communicator), collectives};
  }

  /// The values of the eight clips.
  [[nodiscard]] std::vector<float> clips() const {
    const Trainer trainer = TinyTraining::trainer({}, make_backend_(), Precision::f32);
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

  /// Trains on ranks that are threads; the last rank's result, after it was compared with the others'.
  Trained train_ranks(const TrainingOptions& options, std::int64_t batch,
                      const std::vector<std::vector<std::vector<std::size_t>>>& batches_of_ranks) const {
    std::mutex mutex;
    std::vector<Trained> all;
    run_ranks(static_cast<int>(options.ranks), [&](const std::shared_ptr<Communicator>& communicator) {
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

  /// Two ranks, each with two batches an update, train as one process does with all clips at once.
  void expect_ranks_are_one_large_batch() const;
  /// So they do with the statistics of synchronized batch norms. one_more: also three, of which one has no
  /// clips.
  void expect_synchronized_ranks_are_one_large_batch(bool one_more) const;

  static constexpr TrainingForm without_norms{.dropout = 0, .frozen = {}, .batch_statistics = false};
  static constexpr double tolerance = 2e-4;

 private:
  std::function<std::shared_ptr<const Backend>()> make_backend_;
  JoinDevices join_;
};

/// Relative L2 of each tensor's difference, where it is not all but zero.
inline void expect_near(const Trained& found, const Trained& expected, double tolerance,
                        bool statistics = true) {
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

inline void GroupTraining::expect_ranks_are_one_large_batch() const {
  TrainingOptions options{.form = without_norms, .average_decay = 0.8};
  const Trained at_once = train_at_once(options);
  options.bucket_bytes = 20000;
  options.ranks = options.batches = 2;
  expect_near(train_ranks(options, 3, {{{0, 2, 4}, {6, 7}}, {{1, 3, 5}, {}}}), at_once, tolerance);
}

inline void GroupTraining::expect_synchronized_ranks_are_one_large_batch(bool one_more) const {
  TrainingOptions options{.form = {.dropout = 0, .frozen = {}}};
  const Trained at_once = train_at_once(options);
  options.ranks = 2;
  options.synchronized = true;
  expect_near(train_ranks(options, 4, {{{0, 2, 4, 6}}, {{1, 3, 5, 7}}}), at_once, 2e-3);
  if (!one_more) return;
  options.ranks = 3;
  expect_near(train_ranks(options, 5, {{{0, 1, 2, 3, 4}}, {{5, 6, 7}}, {{}}}), at_once, 2e-3);
}

}  // namespace tpn::test
