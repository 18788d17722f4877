// A step of training of a network with all of its channels: kernels, splits and packings that no tiny network
// reaches. Its frames are small, so that the emulated device is through with it in a minute.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/networks/initialize.h"
#include "engine/train/trainer.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/verify/random_tensor.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

constexpr InputSize size{1, 8, 64, 64};

/// What a step finds.
struct Found {
  StepResult result;
  std::map<std::string, std::vector<float>> gradients;  ///< by parameter
};

/// res4, res5, the neck and both heads learn: what is before them is frozen.
const std::vector<std::string>& frozen() {
  static const std::vector<std::string> modules{"backbone.conv1", "backbone.layer1", "backbone.layer2"};
  return modules;
}

class CudaFullWidth : public ::testing::Test {
 protected:
  CudaFullWidth() {
    write_random_model(config_, Initialization::varied, 1, {}, directory_ / "model.safetensors");
    weights_ = Weights::load(directory_ / "model.safetensors");
  }

  [[nodiscard]] Found step(const std::shared_ptr<const Backend>& backend, Precision precision,
                           double loss_scale) const {
    // Without decay and clipping the first momentum is the gradient. Norms keep their statistics: those of
    // the few pixels there are would make every rounding a thousand times larger.
    const TrainingOptions options{.form = {.dropout = 0, .frozen = frozen(), .batch_statistics = false},
                                  .weight_decay = 0,
                                  .max_norm = 0};
    Trainer trainer(config_, size, options, backend, PlanOptions{.precision = precision}, *weights_);
    std::mt19937 generator(3);
    const TensorView views = trainer.views();
    from_tensor64(verify::random_tensor(views.shape, ops::Range::symmetric, generator, true), views);
    const std::vector<std::int64_t> labels{7};
    Found found{trainer.step(labels, {.loss_scale = loss_scale}), {}};
    for (const PersistentTensor& tensor : trainer.persistent()) {
      if (tensor.role != Role::parameter || !tensor.is_updated) continue;
      std::vector<float>& values = found.gradients[tensor.name];
      values.resize(static_cast<std::size_t>(tensor.spec.shape.count()));
      trainer.store().read(momentum_name(tensor.name),
                           {reinterpret_cast<std::byte*>(values.data()), DType::f32, tensor.spec.shape});
    }
    return found;
  }

 private:
  test::TemporaryDirectory directory_;
  const Config config_ = builtin_config("tpn-slowonly-r50-8x8");
  std::shared_ptr<const Weights> weights_;
};

TEST_F(CudaFullWidth, AStepAgreesWithTheCpu) {
  const Found expected = step(std::make_shared<const CpuBackend>(2), Precision::f32, 1);
  const Found found = step(std::make_shared<const CudaBackend>(CudaOptions{.libraries = CudaLibraries::none}),
                           Precision::f16, 128);
  EXPECT_NEAR(found.result.loss / expected.result.loss, 1, verify::full_size_f16_relative_l2);
  EXPECT_LE(verify::relative_l2(found.result.logits, expected.result.logits),
            verify::full_size_f16_relative_l2);
  EXPECT_EQ(found.gradients.size(), expected.gradients.size());
  EXPECT_GE(found.gradients.size(), 80U);
  for (const auto& [name, values] : expected.gradients) {
    EXPECT_LE(verify::relative_l2(found.gradients.at(name), values),
              verify::full_width_gradient_f16_relative_l2)
        << name;
  }
}

}  // namespace
}  // namespace tpn
