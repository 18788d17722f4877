// Every network against its golden on a CUDA device: all intermediate features, in every precision.
#include <algorithm>

#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/reference_backend.h"
#include "kernels/verify/tolerance.h"
#include "tests/networks/f32_agreement.h"
#include "tests/support/golden_network.h"

namespace tpn {
namespace {

using test::GoldenName;
using test::GoldenNetwork;

std::vector<GoldenName> goldens() {
  return test::goldens_of("forward", {TPN_TEST_DATA "/goldens"});
}

class CudaGoldenTest : public ::testing::TestWithParam<GoldenName> {
 protected:
  /// Compares with the golden, and where that is no stricter with what rounding to `storage` alone costs.
  void expect_agreement(Precision precision, Precision storage, double tolerance) const {
    const auto features = network_.run(backend_, {.precision = precision});
    const auto rounded = network_.run(std::make_shared<ReferenceBackend>(), {.precision = storage});
    EXPECT_EQ(test::first_deviation(features,
                                    [&](const std::string& name, std::span<const float> values) {
                                      return network_.storage_deviation(name, values, rounded, tolerance);
                                    }),
              "");
  }

  GoldenNetwork network_{GetParam(), Weights::load(test::converted_weights(GetParam().name))};
  std::shared_ptr<const CudaBackend> backend_ =
      std::make_shared<const CudaBackend>(CudaOptions{.libraries = CudaLibraries::none});
};

TEST_P(CudaGoldenTest, AgreesInF32) {
  test::expect_f32_agreement(network_, backend_);
}

TEST_P(CudaGoldenTest, AgreesInTf32) {
  // tf32 keeps as many bits of a product's operands as f16.
  expect_agreement(Precision::tf32, Precision::f16, verify::golden_f16_relative_l2);
}

TEST_P(CudaGoldenTest, AgreesInF16) {
  expect_agreement(Precision::f16, Precision::f16, verify::golden_f16_relative_l2);
}

TEST_P(CudaGoldenTest, AgreesInBf16) {
  expect_agreement(Precision::bf16, Precision::bf16, verify::golden_bf16_relative_l2);
}

INSTANTIATE_TEST_SUITE_P(Forward, CudaGoldenTest, ::testing::ValuesIn(goldens()),
                         [](const auto& golden) { return test_name(golden.param, golden.index); });

TEST(CudaGoldens, AreThere) {
  EXPECT_GE(goldens().size(), 11U);
}

}  // namespace
}  // namespace tpn
