// Training step by step on a CUDA device.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "tests/train/tiny_training.h"

namespace tpn {
namespace {

std::shared_ptr<const Backend> cuda() {
  return std::make_shared<const CudaBackend>(CudaOptions{.libraries = CudaLibraries::none});
}

class CudaTrainer : public ::testing::Test, public test::TinyTraining {};
class CudaTrainerOf : public ::testing::TestWithParam<Precision>, public test::TinyTraining {};

TEST_P(CudaTrainerOf, LearnsEightClipsByHeart) {
  Trainer trainer = this->trainer({.form = {.dropout = 0, .frozen = {}}}, cuda(), GetParam());
  expect_learned(trainer, 20);
}

/// The second step and those after it replay a recorded one: learning rate, labels and what dropout draws
/// have to come from the device's memory.
TEST_F(CudaTrainer, ReplaysStepsWithWhatChangesBetweenThem) {
  const auto losses = [&](std::int64_t seed, double learning_rate) {
    Trainer trainer = this->trainer({}, cuda(), Precision::f32);
    std::vector<double> found;
    for (int i = 0; i < 4; ++i) {
      if (i == 2) std::swap(labels_.front(), labels_.back());
      found.push_back(step(trainer, {.learning_rate = i < 2 ? 0.05 : learning_rate, .seed = seed}).loss);
    }
    std::swap(labels_.front(), labels_.back());
    return found;
  };
  const std::vector<double> once = losses(5, 0.05), again = losses(5, 0.05), slower = losses(5, 0.001),
                            other = losses(6, 0.05);
  EXPECT_EQ(once, again);
  EXPECT_NE(once[0], other[0]);
  EXPECT_EQ(once[2], slower[2]);
  EXPECT_NE(once[3], slower[3]);
}

TEST_F(CudaTrainer, AveragesItsParameters) {
  TrainingOptions options;
  options.average_decay = 0.8;
  Trainer trainer = this->trainer(options, cuda(), Precision::f32);
  expect_averaged(trainer, 0.8, [&] { (void)step(trainer); });
}

TEST_F(CudaTrainer, PacksWhatIsFrozenOnce) {
  expect_frozen_packed_once(cuda());
}

INSTANTIATE_TEST_SUITE_P(Precisions, CudaTrainerOf, ::testing::Values(Precision::f32, Precision::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace tpn
