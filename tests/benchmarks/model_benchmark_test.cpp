#include "benchmarks/model_benchmark.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "benchmarks/report.h"
#include "engine/networks/initialize.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn::benchmarks {
namespace {

class ModelBenchmarkTest : public ::testing::Test {
 protected:
  ModelBenchmarkTest() {
    benchmark_.model = directory_ / "model.safetensors";
    write_random_model(test::tiny_config("tpn-tsm-r50-1x1x8"), Initialization::varied, 1, {},
                       benchmark_.model);
    benchmark_.threads = {2};
    benchmark_.side = 64;
    benchmark_.warmup = 1;
    benchmark_.repetitions = {.runs = 3, .seconds = 0};
    benchmark_.peak_seconds = 0;
  }

  test::TemporaryDirectory directory_;
  ModelBenchmark benchmark_;
};

TEST_F(ModelBenchmarkTest, TimesEveryCombination) {
  if (supports(CpuBackend(1), Precision::bf16)) benchmark_.precisions.push_back(Precision::bf16);
  benchmark_.threads = {1, 2};
  benchmark_.batches = {1, 2};
  const ModelReport report = run(benchmark_);
  EXPECT_EQ(report.size.frames, 8);
  EXPECT_TRUE(report.correct());
  ASSERT_EQ(report.timings.size(), 4 * benchmark_.precisions.size());
  EXPECT_EQ(report.timings[1].multiply_adds, 2 * report.timings[0].multiply_adds);
  for (const ModelTiming& timing : report.timings) {
    EXPECT_EQ(timing.seconds.count, 3U);
    ASSERT_TRUE(timing.verification.has_value());
    EXPECT_GT(timing.verification->deviation, 0);  // the reference takes another path
    double steps = 0;
    for (const StepTime& step : timing.steps) steps += step.seconds.best;
    EXPECT_LE(steps, timing.seconds.median);
    EXPECT_GT(steps, 0);
  }
}

TEST_F(ModelBenchmarkTest, WritesReports) {
  const ModelReport report = run(benchmark_);
  const nlohmann::json json = nlohmann::json::parse(to_json(report));
  const nlohmann::json& timing = json.at("timings").at(0);
  EXPECT_EQ(timing.at("precision"), "f32");
  EXPECT_EQ(timing.at("threads"), 2);
  EXPECT_EQ(timing.at("seconds").at("median"), report.timings[0].seconds.median);
  EXPECT_EQ(timing.at("steps").size(), report.timings[0].steps.size());
  EXPECT_FALSE(json.at("machine").at("libraries").get<std::string>().empty());

  EXPECT_EQ(to_text(report, false).find("backbone.maxpool"), std::string::npos);
  EXPECT_NE(to_text(report, true).find("backbone.maxpool"), std::string::npos);
}

TEST_F(ModelBenchmarkTest, SaysWhenOutputsAreWrong) {
  ModelReport report;
  report.timings.resize(2);
  EXPECT_TRUE(report.correct());
  report.timings[1].verification = Verification{.deviation = 0.5, .tolerance = 0.1};
  EXPECT_FALSE(report.correct());
  EXPECT_NE(to_text(report, true).find("WRONG"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(to_json(report))["timings"][1]["verification"]["passed"], false);
}

TEST(Peak, TakesTheBetterOfTwoMeasurements) {
  const Peak first{Precision::f32, 1, {{"a", "x", 10, 8}, {"b", "x", 30, 20}}};
  const Peak second{Precision::f32, 1, {{"a", "x", 40, 9}, {"b", "x", 20, 15}}};
  const Peak better = better_of(first, second);
  EXPECT_EQ(better.best().label, "a");
  EXPECT_EQ(better.best().best_gflops, 40);
  EXPECT_EQ(better.convolutions[1].best_gflops, 30);
}

}  // namespace
}  // namespace tpn::benchmarks
