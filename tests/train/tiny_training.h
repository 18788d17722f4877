// A tiny network and eight clips to train it with, on any backend.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/networks/initialize.h"
#include "engine/train/trainer.h"
#include "kernels/convert.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/counting_backend.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn::test {

/// 8 random clips and their labels.
class TinyTraining {
 public:
  static constexpr InputSize size{8, 8, 32, 32};

  TinyTraining() {
    write_random_model(config_, Initialization::from_scratch, 1, {}, directory_.path() / "model.safetensors");
    weights_ = Weights::load(directory_.path() / "model.safetensors");
    for (std::int64_t i = 0; i < size.views; ++i) labels_.push_back((i * 3) % config_.head.num_classes);
  }

  [[nodiscard]] Trainer trainer(const TrainingOptions& options, std::shared_ptr<const Backend> backend,
                                Precision precision) const {
    return {config_, size, options, backend, PlanOptions{.precision = precision}, *weights_};
  }
  static void fill(const Trainer& trainer) { fill(trainer.views()); }
  /// With as many of the clips as there is room for.
  static void fill(const TensorView& views) {
    std::vector<float> values(static_cast<std::size_t>(views.shape.count()));
    std::mt19937 generator(7);
    std::normal_distribution<float> normal;
    for (float& value : values) value = normal(generator);
    convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, views.data, views.dtype,
            values.size());
  }
  StepResult step(Trainer& trainer, const StepOptions& options = {.learning_rate = 0.05}) const {
    fill(trainer);
    return trainer.step(labels_, options);
  }
  /// Of how many clips the network knows the label.
  [[nodiscard]] int correct(const StepResult& result) const {
    int count = 0;
    const auto classes = static_cast<std::size_t>(config_.head.num_classes);
    for (std::size_t n = 0; n < labels_.size(); ++n) {
      const auto row = result.logits.begin() + static_cast<std::ptrdiff_t>(n * classes);
      const auto best = std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row;
      if (best == labels_[n]) ++count;
    }
    return count;
  }
  [[nodiscard]] static std::vector<float> values_of(const Trainer& trainer, const PersistentTensor& tensor,
                                                    const std::string& name) {
    std::vector<float> values(static_cast<std::size_t>(tensor.spec.shape.count()));
    trainer.store().read(name, {reinterpret_cast<std::byte*>(values.data()), DType::f32, tensor.spec.shape});
    return values;
  }
  /// Averages begin as the parameters and follow them by that decay, which the options have; of buffers there
  /// are none. take: does an update.
  template <class Take>
  static void expect_averaged(Trainer& trainer, double decay, const Take& take) {
    std::vector<PersistentTensor> learned;
    std::size_t averages = 0;
    for (const PersistentTensor& tensor : trainer.persistent()) {
      if (tensor.role == Role::parameter && tensor.is_updated) learned.push_back(tensor);
      averages += tensor.name.starts_with(average_name("")) ? 1 : 0;
    }
    ASSERT_GT(learned.size(), 30U);
    EXPECT_EQ(averages, learned.size());
    std::map<std::string, std::vector<double>> expected;
    for (const PersistentTensor& tensor : learned) {
      const std::vector<float> before = values_of(trainer, tensor, tensor.name);
      expected[tensor.name] = {before.begin(), before.end()};
    }
    std::size_t different = 0;  // from what they are averages of; some parameters do not move yet
    for (int i = 0; i < 3; ++i) {
      take();
      for (const PersistentTensor& tensor : learned) {
        const std::vector<float> now = values_of(trainer, tensor, tensor.name),
                                 found = values_of(trainer, tensor, average_name(tensor.name));
        std::vector<double>& average = expected[tensor.name];
        for (std::size_t j = 0; j < now.size(); ++j) {
          average[j] = decay * average[j] + (1 - decay) * static_cast<double>(now[j]);
        }
        EXPECT_LE(verify::relative_l2(found, std::vector<float>(average.begin(), average.end())),
                  verify::op_f32_relative_l2)
            << tensor.name;
        different += found != now ? 1 : 0;
      }
    }
    EXPECT_GT(different, learned.size()) << "of three times as many";
  }
  /// The network learns all clips by heart within so many steps.
  void expect_learned(Trainer& trainer, int steps) const {
    StepResult result = step(trainer);
    const double first = result.loss;
    for (int i = 0; i < steps && correct(result) < 8; ++i) result = step(trainer);
    EXPECT_EQ(correct(result), 8) << "after " << trainer.steps() << " steps, loss " << result.loss;
    EXPECT_LT(result.loss, first);
  }
  /// What is frozen is packed by the first step and by those after it has changed, and by no other; what is
  /// learned before each. Frozen: the stem and the first two stages.
  void expect_frozen_packed_once(std::shared_ptr<const Backend> device) const {
    const TrainingOptions options{
        .form = {.dropout = 0, .frozen = {"backbone.conv1", "backbone.layer1", "backbone.layer2"}}};
    Trainer plain = trainer(options, device, Precision::f32);
    const auto counting = std::make_shared<const CountingBackend>(std::move(device));
    Trainer trainer = this->trainer(options, counting, Precision::f32);
    const auto frozen = static_cast<int>(trainer.plan().kept_forms().size());
    ASSERT_GT(frozen, 10);
    std::vector<double> seconds;
    const auto packings_of_a_step = [&] {  // no step that is replayed
      fill(trainer);
      (void)trainer.step_timed(labels_, {.learning_rate = 0}, seconds);
      return counting->packed();
    };
    const int learned = packings_of_a_step() - frozen;
    EXPECT_GT(learned, 10);
    EXPECT_EQ(packings_of_a_step(), learned);
    trainer.restart(*weights_);
    EXPECT_EQ(packings_of_a_step(), learned + frozen);
    (void)trainer.views(2);  // another plan reads the same forms
    EXPECT_EQ(packings_of_a_step(), learned);

    // A frozen weight that is changed from outside is noticed by steps that are replayed too.
    const std::string name = "backbone.conv1.conv.weight";
    const SafetensorsFile::Entry* entry = weights_->tensors().find(name);
    ASSERT_NE(entry, nullptr);
    std::vector<float> values = to_floats(weights_->tensors().view(*entry));
    for (float& value : values) value = -value;
    const ConstTensorView negative{reinterpret_cast<const std::byte*>(values.data()), DType::f32,
                                   entry->shape};
    const auto losses = [&](int changed_before) {
      plain.restart(*weights_);
      std::vector<double> found;
      for (int i = 0; i < 4; ++i) {
        if (i == changed_before) plain.store().write(name, negative);
        found.push_back(step(plain, {.learning_rate = 0}).loss);
      }
      return found;
    };
    const std::vector<double> before = losses(4), after = losses(0), between = losses(3);
    EXPECT_NE(before[3], after[3]);
    EXPECT_EQ(between, (std::vector<double>{before[0], before[1], before[2], after[3]}));
  }

 protected:
  TemporaryDirectory directory_;
  Config config_ = tiny_config("tpn-slowonly-r50-8x8");
  std::shared_ptr<const Weights> weights_;
  std::vector<std::int64_t> labels_;
};

}  // namespace tpn::test
