// Steps of training on a CUDA device against their goldens, in every precision.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "tests/train/training_agreement.h"

namespace tpn {
namespace {

using test::GoldenName;

std::vector<GoldenName> goldens() {
  return test::goldens_of("train", {TPN_TEST_DATA "/goldens"});
}

class CudaTrainGolden : public ::testing::TestWithParam<GoldenName> {
 protected:
  void expect_rounded_agreement(Precision precision, double tolerance) const {
    const Precision storage = precision == Precision::tf32 ? Precision::f32 : precision;
    test::expect_rounded_training_agreement(GetParam(), weights_, backend_, precision, storage, tolerance);
  }

  const std::shared_ptr<const Weights> weights_ = Weights::load(test::converted_weights(GetParam().name));
  const std::shared_ptr<const CudaBackend> backend_ =
      std::make_shared<const CudaBackend>(CudaOptions{.libraries = CudaLibraries::none});
};

TEST_P(CudaTrainGolden, AgreesInF32) {
  test::expect_training_agreement(GetParam(), weights_, backend_, {}, verify::golden_f32_factor);
}

TEST_P(CudaTrainGolden, AgreesInTf32) {
  expect_rounded_agreement(Precision::tf32, verify::train_tf32_relative_l2);
}

TEST_P(CudaTrainGolden, AgreesInF16) {
  expect_rounded_agreement(Precision::f16, verify::train_bf16_relative_l2);
}

TEST_P(CudaTrainGolden, AgreesInBf16) {
  expect_rounded_agreement(Precision::bf16, verify::train_bf16_relative_l2);
}

INSTANTIATE_TEST_SUITE_P(Train, CudaTrainGolden, ::testing::ValuesIn(goldens()),
                         [](const auto& golden) { return test_name(golden.param, golden.index); });

TEST(CudaTrainGoldens, AreThere) {
  EXPECT_GE(goldens().size(), 2U);
}

}  // namespace
}  // namespace tpn
