// The tables of --explain, with the emulated device.
#include "benchmarks/explain.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "benchmarks/cuda_device.h"
#include "benchmarks/report.h"
#include "engine/networks/initialize.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn::benchmarks {
namespace {

TEST(StepBound, IsTheLongerOfBytesAndProducts) {
  const Roofline roofline{.bytes = 1e9, .multiply_adds = 1e12};
  StepTime step;
  step.seconds.median = 4;
  step.work.bytes = 2'000'000'000;
  step.multiply_adds = 1'000'000'000'000;
  StepBound bound = bound_of(step, roofline);
  EXPECT_EQ(bound.seconds, 2);
  EXPECT_TRUE(bound.by_memory);
  EXPECT_EQ(bound.share_of_peak, 0.25);
  step.multiply_adds *= 3;
  bound = bound_of(step, roofline);
  EXPECT_EQ(bound.seconds, 3);
  EXPECT_FALSE(bound.by_memory);
}

TEST(Explain, SaysWhatRanAndWhatElseCouldHave) {
  const test::TemporaryDirectory directory;
  ModelBenchmark benchmark;
  benchmark.model = directory / "model.safetensors";
  write_random_model(test::tiny_config("tpn-slowonly-r50-8x8"), Initialization::varied, 1, {},
                     benchmark.model);
  benchmark.precisions = {Precision::bf16};
  benchmark.side = 32;
  benchmark.warmup = 1;
  benchmark.repetitions = {.runs = 1, .seconds = 0};
  // Trials of a few layers, then their time is up: both kinds of choice are to be seen.
  const auto backend = std::make_shared<const CudaBackend>(
      CudaOptions{.libraries = CudaLibraries::none, .trials = true, .trial_seconds = 1});
  const ModelReport report = run(benchmark, cuda_device(backend));
  EXPECT_TRUE(report.correct());
  ASSERT_EQ(report.timings.size(), 1U);
  const ModelTiming& timing = report.timings[0];
  ASSERT_FALSE(timing.steps.empty());
  ASSERT_TRUE(timing.roofline.has_value());
  ASSERT_TRUE(timing.host_seconds.has_value());

  int tried = 0;
  double bounds = 0;
  for (const StepTime& step : timing.steps) {
    EXPECT_GT(step.work.bytes, 0) << step.name;
    EXPECT_TRUE(step.multiply_adds == 0 || step.work.multiply_adds >= step.multiply_adds) << step.name;
    bounds += bound_of(step, *timing.roofline).seconds;
    EXPECT_FALSE(step.launches.empty()) << step.name;
    for (const LaunchReport& launch : step.launches) {
      EXPECT_GT(launch.blocks, 0) << launch.kernel;
      EXPECT_GE(launch.resident, 1) << launch.kernel;
      EXPECT_GT(launch.occupancy, 0) << launch.kernel;
      EXPECT_LE(launch.occupancy, 1) << launch.kernel;
      EXPECT_GT(launch.waves, 0) << launch.kernel;
    }
    if (step.candidates.empty()) continue;
    ++tried;
    const auto chosen = std::count_if(step.candidates.begin(), step.candidates.end(),
                                      [](const CandidateReport& c) { return c.chosen; });
    EXPECT_EQ(chosen, 1) << step.name;
  }
  EXPECT_GT(tried, 0);
  EXPECT_DOUBLE_EQ(fused_roofline_seconds(timing), bounds);

  const std::string text = explain(timing);
  for (const char* expected :
       {"x roofline", "issued", "implicit_gemm", "plain_conv3d (bf16)", "Candidates of each step",
        "Kernels that each step starts", "blocks/SM", "The host takes", "device's peaks",
        "(1, 8, 32, 32, 3) x (4, 3, 1, 7, 7) ->"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
  const nlohmann::json json = nlohmann::json::parse(to_json(report)).at("timings").at(0);
  EXPECT_EQ(json.at("precision"), "bf16");
  EXPECT_EQ(json.at("roofline").at("seconds"), fused_roofline_seconds(timing));
  EXPECT_GT(json.at("host_seconds").at("median"), 0);
  EXPECT_EQ(json.at("steps").size(), timing.steps.size());
  EXPECT_TRUE(json.at("steps").at(0).contains("roofline"));
  EXPECT_GE(json.at("steps").at(0).at("launches").at(0).at("resident_blocks"), 1);
}

}  // namespace
}  // namespace tpn::benchmarks
