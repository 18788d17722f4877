// Steps of training against their goldens: losses, gradients, statistics, updated parameters.
#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference_backend.h"
#include "tests/support/converted_golden.h"
#include "tests/train/training_agreement.h"

namespace tpn {
namespace {

using test::GoldenName;

class TrainGolden : public ::testing::TestWithParam<GoldenName> {
 protected:
  const std::shared_ptr<const Weights> weights_ = test::converted_golden(GetParam());
};

TEST_P(TrainGolden, AgreesInF64) {
  test::expect_training_agreement(GetParam(), weights_, std::make_shared<ReferenceBackend>(), {.exact = true},
                                  1);
}

TEST_P(TrainGolden, AgreesInF32) {
  test::expect_training_agreement(GetParam(), weights_, std::make_shared<CpuBackend>(2), {},
                                  verify::golden_f32_factor);
}

TEST_P(TrainGolden, AgreesInBf16WithTheReferenceInBf16) {
  const auto backend = std::make_shared<CpuBackend>(2);
  if (!backend->supports(DType::bf16)) GTEST_SKIP() << "This processor does not compute in bf16.";
  test::expect_rounded_training_agreement(GetParam(), weights_, backend, Precision::bf16, Precision::bf16,
                                          verify::train_bf16_relative_l2);
}

INSTANTIATE_TEST_SUITE_P(Train, TrainGolden, ::testing::ValuesIn(test::all_goldens_of("train")),
                         [](const auto& golden) { return test_name(golden.param, golden.index); });

TEST(TrainGoldens, AreThere) {
  EXPECT_GE(test::all_goldens_of("train").size(), 2U);
}

}  // namespace
}  // namespace tpn
