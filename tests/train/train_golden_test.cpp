// Steps of training against their goldens: losses, gradients, statistics, updated parameters.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference_backend.h"
#include "tests/support/converted_golden.h"
#include "tests/support/golden_training.h"
#include "tests/support/tolerance.h"

namespace tpn {
namespace {

using test::GoldenName;
using test::GoldenTraining;

class TrainGolden : public ::testing::TestWithParam<GoldenName> {
 protected:
  /// Three steps; every number is within `factor` of the deviation that PyTorch's own f32 shows.
  void expect_agreement(const std::shared_ptr<const Backend>& backend, DType precision, double factor) const {
    const std::shared_ptr<const Weights> weights = test::converted_golden(GetParam());
    for (const char* variant : {"clip40", "clip0.5"}) {
      SCOPED_TRACE(variant);
      GoldenTraining training(GetParam(), weights, variant, backend, precision);
      const nlohmann::json& record = training.golden().record();
      const nlohmann::json& errors = record.at("fp32_error");
      const double relative = factor * record.at("worst_relative_l2").get<double>();
      for (int step = 0; step < 3; ++step) {
        training.step(step);
        for (const auto& [name, values] : training.scalars()) {
          EXPECT_NEAR(values.first, values.second, relative * values.second) << name << " of step " << step;
        }
      }
      std::size_t compared = 0;
      for (const std::string& name : training.golden().names()) {
        const bool other = (name.starts_with("clip")) && !name.starts_with(std::string(variant) + "/");
        if (name == "input" || name == "labels" || other) continue;
        ++compared;
        const auto expected = training.golden().values<float>(name, DType::f32);
        const std::vector<float>& found = training.features().at(name);
        ASSERT_EQ(found.size(), expected.size()) << name;
        const double rounding = 0x1p-23 * errors.at(name).at(1).get<double>();  // of the largest value
        EXPECT_LE(test::max_abs_difference(found, expected),
                  std::max(factor * errors.at(name).at(0).get<double>(), rounding))
            << name;
      }
      EXPECT_EQ(compared, training.features().size());
    }
  }
};

TEST_P(TrainGolden, AgreesInF64) {
  expect_agreement(std::make_shared<ReferenceBackend>(), DType::f64, 1);
}

TEST_P(TrainGolden, AgreesInF32) {
  expect_agreement(std::make_shared<CpuBackend>(2), DType::f32, test::golden_f32_factor);
}

/// In bf16 a step is what the reference computes from values rounded to bf16. These tiny networks, with batch
/// norms over a few pixels, amplify a single other rounding a hundredfold, so that gradients are far from
/// those in double; but some inputs are rounded alike. So each result has to be near the reference's for one
/// of many inputs that differ a little.
TEST_P(TrainGolden, AgreesInBf16WithTheReferenceInBf16) {
  const auto backend = std::make_shared<CpuBackend>(2);
  if (!backend->supports(DType::bf16)) GTEST_SKIP() << "This processor does not compute in bf16.";
  const std::shared_ptr<const Weights> weights = test::converted_golden(GetParam());
  std::map<std::string, double> nearest;
  const auto all_are_near = [&] {
    return !nearest.empty() && std::ranges::all_of(nearest, [](const auto& found) {
      return found.second <= test::train_bf16_relative_l2;
    });
  };
  constexpr std::uint32_t most = 40;
  for (std::uint32_t disturbance = 0; disturbance < most && !all_are_near(); ++disturbance) {
    GoldenTraining found(GetParam(), weights, "clip40", backend, DType::bf16),
        rounded(GetParam(), weights, "clip40", std::make_shared<ReferenceBackend>(), DType::bf16);
    found.step(0, disturbance);
    rounded.step(0, disturbance);
    for (const auto& [name, values] : found.features()) {
      const double distance = test::relative_l2(values, rounded.features().at(name));
      const auto [slot, first] = nearest.try_emplace(name, distance);
      slot->second = std::min(slot->second, distance);
    }
  }
  for (const auto& [name, distance] : nearest) EXPECT_LE(distance, test::train_bf16_relative_l2) << name;
}

INSTANTIATE_TEST_SUITE_P(Train, TrainGolden, ::testing::ValuesIn(test::all_goldens_of("train")),
                         [](const auto& golden) { return test_name(golden.param, golden.index); });

TEST(TrainGoldens, AreThere) {
  EXPECT_GE(test::all_goldens_of("train").size(), 2U);
}

}  // namespace
}  // namespace tpn
