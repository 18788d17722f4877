// From what programs print to results and back.
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "benchmarks/suite/records.h"
#include "benchmarks/suite/results_page.h"
#include "benchmarks/suite/series.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn::benchmarks {
namespace {

RecordedRun recorded(const std::string& benchmark, OutputKind kind, int round) {
  RecordedRun run;
  run.benchmark = benchmark;
  run.kind = kind;
  run.round = round;
  run.command = {"program", "--of", benchmark};
  return run;
}

/// As tpn_bench --json prints it, as far as it matters here.
std::string bench_output(double first, double second, double peak) {
  return R"({"machine": {"processor": "P", "processors": 2, "vectors": ["avx2", "fma"], "libraries": "L",
      "compiler": "C", "optimized": true, "version": "1.2"},
    "peaks": [{"precision": "f32", "threads": 2, "best_gflops": )" +
         std::to_string(peak) + R"(}],
    "timings": [{"precision": "f32", "threads": 2, "views": 1, "plan_seconds": 0.125,
      "verification": {"passed": true}, "seconds": {"median": 0.5}, "all_seconds": [)" +
         std::to_string(first) + "," + std::to_string(second) +
         R"(], "gflops": 100, "share_of_peak": 0.5, "peak_memory_bytes": 1048576,
      "steps": [{"name": "stem", "op": "conv", "implementation": "jit", "multiply_adds": 1000, "bytes": 10,
                 "seconds": {"best": )" +
         std::to_string(first / 2) + R"(, "median": )" + std::to_string(first) + "}}]}]}";
}

class Records : public ::testing::Test {
 protected:
  void write(const RecordedRun& run, const std::string& output, double seconds = 1, int status = 0) {
    write_record(path(), run, {status, seconds, 2 * seconds, 4096, output});
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "records.jsonl"; }

  test::TemporaryDirectory folder_;
};

TEST_F(Records, BecomeSeriesByRound) {
  write(recorded("inference", OutputKind::model, 1), bench_output(0.5, 0.75, 200));
  RecordedRun start = recorded("cold start", OutputKind::process, 1);
  start.variant = "f32";
  start.at = {{"views", 4}};
  write(start, "", 3);
  write(recorded("inference", OutputKind::model, 2), bench_output(0.25, 1, 0));
  start.round = 2;
  write(start, "", 5);
  RecordedRun copy = recorded("cp", OutputKind::process, 1);
  copy.yardstick = true;
  write(copy, "", 7);
  write(recorded("loading", OutputKind::loader, 1),
        R"({"clips_per_second": 4, "processor_seconds_per_clip": 0.5})");

  const SuiteResults results = results_of(path());
  EXPECT_TRUE(results.faults.empty());
  EXPECT_EQ(results.machine.at("processor"), "P");
  EXPECT_EQ(results.machine.at("vectors"), "avx2 fma");
  EXPECT_EQ(results.commands.size(), 4U);
  EXPECT_EQ(results.commands[0], "program --of inference");
  const Series* inference = results.find("inference/f32/batch=1/threads=2");
  ASSERT_NE(inference, nullptr);
  EXPECT_EQ(inference->rounds, (Rounds{{0.5, 0.75}, {0.25, 1}}));
  EXPECT_EQ(inference->figures.at("views"), 1);
  EXPECT_EQ(inference->figures.at("share of peak"), 0.5);
  const Series* memory = results.find("memory of inference/f32/batch=1/threads=2");
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(memory->unit, Unit::bytes);
  EXPECT_EQ(memory->rounds, (Rounds{{1048576}, {1048576}}));
  EXPECT_EQ(results.find("plan building for inference/f32/batch=1/threads=2")->rounds,
            (Rounds{{0.125}, {0.125}}));
  EXPECT_EQ(results.find("cold start/f32/views=4")->rounds, (Rounds{{3}, {5}}));
  EXPECT_EQ(results.find("memory of cold start/f32/views=4")->rounds, (Rounds{{4096}, {4096}}));
  EXPECT_TRUE(results.find("cp")->yardstick);
  EXPECT_EQ(results.find("memory of cp"), nullptr);
  EXPECT_EQ(results.find("loading")->rounds, (Rounds{{0.25}}));
  // The layers of the quieter round, beside the only peak that was measured.
  ASSERT_EQ(results.layers.size(), 1U);
  EXPECT_EQ(results.layers[0].peak_gflops, 200);
  EXPECT_EQ(results.layers[0].layers[0].median, 0.25);
}

TEST_F(Records, OfOperationsLeaveOutAggregatesAndTellErrors) {
  write(recorded("operation", OutputKind::operations, 1), R"({"context": {"processor": "P"}, "benchmarks": [
    {"run_name": "layer/relu/f32/real_time", "run_type": "iteration", "real_time": 1500, "time_unit": "us",
     "% of peak": 80},
    {"run_name": "layer/relu/f32/real_time", "run_type": "iteration", "real_time": 2500, "time_unit": "us"},
    {"run_name": "layer/relu/f32/real_time", "run_type": "aggregate", "real_time": 9999, "time_unit": "us"},
    {"run_name": "layer/add/f32/real_time", "run_type": "iteration", "error_occurred": true,
     "error_message": "deviates", "time_unit": "us"}]})",
        1, 1);
  const SuiteResults results = results_of(path());
  ASSERT_EQ(results.series.size(), 1U);
  EXPECT_EQ(results.series[0].name(), "operation/layer/relu/f32");
  ASSERT_EQ(results.series[0].values().size(), 2U);
  EXPECT_DOUBLE_EQ(results.series[0].values()[1], 2.5e-3);
  EXPECT_DOUBLE_EQ(results.series[0].figures.at("share of peak"), 0.8);
  ASSERT_EQ(results.faults.size(), 2U);
  EXPECT_EQ(results.faults[0], "operation ended with exit status 1: program --of operation");
  EXPECT_EQ(results.faults[1], "operation/layer/add/f32: deviates");
}

TEST_F(Records, OfFailedProgramsAreFaultsAndNoTimings) {
  write(recorded("conversion", OutputKind::process, 1), "", 1, 2);
  write(recorded("inference", OutputKind::model, 1), "half of", 1, 139);
  const SuiteResults results = results_of(path());
  EXPECT_TRUE(results.series.empty());
  EXPECT_EQ(results.faults.size(), 2U);
  EXPECT_THROW(write(recorded("inference", OutputKind::model, 1), "no JSON"), Error);
}

TEST_F(Records, NameTheLineThatIsNone) {
  write(recorded("a", OutputKind::process, 1), "");
  {
    std::ofstream file(path(), std::ios::app);
    file << "{}\n";
  }
  try {
    (void)results_of(path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("Line 2 of"), std::string::npos) << error.what();
  }
  EXPECT_THROW(results_of(folder_ / "absent"), Error);
}

TEST_F(Records, SurviveTheResultsFile) {
  write(recorded("inference", OutputKind::model, 1), bench_output(0.5, 0.75, 200));
  write(recorded("broken", OutputKind::process, 1), "", 1, 1);
  RecordedRun copy = recorded("cp", OutputKind::process, 1);
  copy.yardstick = true;
  write(copy, "");
  const SuiteResults results = results_of(path());
  const std::string json = to_json(results);
  EXPECT_EQ(to_json(read_results(folder_.write("results.json", json))), json);
  EXPECT_THROW(read_results(folder_.write("other.json", R"({"format": "other"})")), Error);
  EXPECT_THROW(read_results(folder_ / "absent.json"), Error);
}

TEST(Program, IsMeasuredAndItsOutputKept) {
  const RunOutcome outcome = run_program({"sh", "-c", "echo out; exit 3"});
  EXPECT_EQ(outcome.status, 3);
  EXPECT_EQ(outcome.output, "out\n");
  EXPECT_GT(outcome.seconds, 0);
  EXPECT_GT(outcome.peak_memory, 0U);
  EXPECT_GT(outcome.peak_memory, 100'000U) << "bytes; a shell takes more";
  EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"}).status, 137);
  EXPECT_THROW(run_program({"/no/such/program"}), Error);
}

TEST_F(Records, MakeAPage) {
  write(recorded("inference", OutputKind::model, 1), bench_output(0.5, 0.75, 200));
  for (const double views : {1.0, 2.0, 4.0}) {
    RecordedRun run = recorded("video by views", OutputKind::process, 1);
    run.variant = "f32";
    run.at = {{"views", views}};
    write(run, "", 0.5 + 0.25 * views);
  }
  write(recorded("<broken>", OutputKind::process, 1), "", 1, 1);
  const SuiteResults results = results_of(path());
  const SuiteComparison comparison = compare(results, results, {});
  const std::filesystem::path page = folder_ / "results.html";
  write_results_page(results, comparison, page);
  std::ifstream file(page);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const char* expected :
       {"Benchmarks of TPN 1.2", "id=\"views\"", "f32: 0.5 and 0.25 for each of views, off by at most 0.0",
        "id=\"layers-f32-2\"", "inference/f32/batch=1/threads=2", "id=\"comparison\"", "too few timings",
        "&lt;broken&gt; ended with exit status 1", "program --of inference"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected;
  }
}

}  // namespace
}  // namespace tpn::benchmarks
