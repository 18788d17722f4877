// Every network against its golden: all intermediate features, on the reference maths and on the CPU backend.
//
// Goldens come from tests/data/goldens, from the folders of TPN_GOLDEN_DIRS (colon-separated) and, in a
// checkout that has one beside it, from the reference's own folders, which hold some of the same files.
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference_backend.h"
#include "kernels/verify/tolerance.h"
#include "tests/networks/f32_agreement.h"
#include "tests/support/converted_golden.h"
#include "tests/support/golden_network.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;
using test::GoldenName;
using test::GoldenNetwork;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class GoldenTest : public ::testing::TestWithParam<GoldenName> {
 protected:
  GoldenNetwork network_{GetParam(), test::converted_golden(GetParam())};
};

TEST_P(GoldenTest, HasTheSizeOfTheReference) {
  const nlohmann::json& expected = network_.golden().record().at("expected");
  std::int64_t parameters = 0;
  for (const ParameterSpec& spec : parameter_specs(network_.config())) {
    parameters += spec.is_buffer() ? 0 : spec.shape.count();
  }
  EXPECT_EQ(parameters, expected.at("parameters").get<std::int64_t>());
  EXPECT_EQ(network_.graph().multiply_adds(),
            network_.views() * expected.at("macs_per_view").get<std::int64_t>());
}

TEST_P(GoldenTest, AgreesInF32) {
  test::expect_f32_agreement(network_, std::make_shared<CpuBackend>(2));
}

TEST_P(GoldenTest, AgreesInBf16AsFarAsItsStorageAllows) {
  const auto backend = std::make_shared<CpuBackend>(2);
  if (!backend->supports(DType::bf16)) GTEST_SKIP() << "This processor does not compute in bf16.";
  if (network_.graph().multiply_adds() > 300'000'000)
    GTEST_SKIP() << "Too large for the reference in double.";
  const auto features = network_.run(backend, {.precision = Precision::bf16});
  const auto rounded = network_.run(std::make_shared<ReferenceBackend>(), {.precision = Precision::bf16});
  EXPECT_EQ(test::first_deviation(features,
                                  [&](const std::string& name, std::span<const float> values) {
                                    return network_.storage_deviation(name, values, rounded,
                                                                      verify::golden_bf16_relative_l2);
                                  }),
            "");
}

TEST_P(GoldenTest, AgreesExactlyInF64) {
  if (network_.graph().multiply_adds() > 300'000'000)
    GTEST_SKIP() << "Too large for the reference in double.";
  constexpr std::int64_t dense = 1, padded_to_8 = 8;
  for (const std::int64_t alignment : {dense, padded_to_8}) {
    const auto features = network_.run(std::make_shared<ReferenceBackend>(alignment), {.exact = true});
    EXPECT_EQ(test::first_deviation(features,
                                    [&](const std::string& name, std::span<const float> values) {
                                      return test::Deviation{
                                          verify::relative_l2(values, network_.expected(name)),
                                          verify::golden_f64_relative_l2};
                                    }),
              "")
        << "channels aligned to " << alignment;
  }
}

INSTANTIATE_TEST_SUITE_P(Forward, GoldenTest, ::testing::ValuesIn(test::all_goldens_of("forward")),
                         [](const auto& golden) { return test_name(golden.param, golden.index); });

/// The converted weights that tests on machines without the converter read.
TEST(Goldens, HaveTheirWeightsConverted) {
  for (const char* kind : {"forward", "train"}) {
    for (const GoldenName& golden : test::goldens_of(kind, {TPN_TEST_DATA "/goldens"})) {
      const test::TemporaryDirectory directory;
      const fs::path fresh = test::convert_golden(golden, directory),
                     stored = test::converted_weights(golden.name);
      EXPECT_TRUE(read(fresh) == read(stored)) << stored << " is not what the converter writes";
    }
  }
}

TEST(Goldens, TellTheFirstDeviationInTheOrderOfTheNetwork) {
  const GoldenName golden = test::all_goldens_of("forward").front();
  const GoldenNetwork network(golden, test::converted_golden(golden));
  const test::Features features = network.run(std::make_shared<CpuBackend>(2), {});
  std::vector<std::string> names;
  for (const auto& [name, values] : features) names.push_back(name);
  ASSERT_GE(names.size(), 16U);
  EXPECT_EQ(names.front(), "stem");
  EXPECT_EQ(names.back(), "logits");
  EXPECT_LT(std::ranges::find(names, "stage4"), std::ranges::find(names, "neck"));
  const auto told = [&](const std::string& first, const std::string& second) {
    return test::first_deviation(features, [&](const std::string& name, std::span<const float>) {
      return test::Deviation{name == first || name == second ? NAN : 0.0, 1.0};
    });
  };
  EXPECT_EQ(told("", ""), "");
  EXPECT_TRUE(told("neck", "stage4").starts_with("The first feature that deviates is stage4, "))
      << told("neck", "stage4");
}

TEST(Goldens, AreThere) {
  EXPECT_GE(test::all_goldens_of("forward").size(), 11U);
}

}  // namespace
}  // namespace tpn
