// A tiny network and eight clips to train it with, on any backend.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "engine/networks/initialize.h"
#include "engine/train/trainer.h"
#include "kernels/convert.h"
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
  static void fill(const Trainer& trainer) {
    const TensorView views = trainer.views();
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
  /// The network learns all clips by heart within so many steps.
  void expect_learned(Trainer& trainer, int steps) const {
    StepResult result = step(trainer);
    const double first = result.loss;
    for (int i = 0; i < steps && correct(result) < 8; ++i) result = step(trainer);
    EXPECT_EQ(correct(result), 8) << "after " << trainer.steps() << " steps, loss " << result.loss;
    EXPECT_LT(result.loss, first);
  }

 protected:
  TemporaryDirectory directory_;
  Config config_ = tiny_config("tpn-slowonly-r50-8x8");
  std::shared_ptr<const Weights> weights_;
  std::vector<std::int64_t> labels_;
};

}  // namespace tpn::test
