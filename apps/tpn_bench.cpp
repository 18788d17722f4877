// Times a model: latency, throughput, memory, and where the time goes.
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/model_argument.h"
#include "benchmarks/device.h"
#include "benchmarks/explain.h"
#include "benchmarks/model_benchmark.h"
#include "benchmarks/report.h"
#include "benchmarks/temporary_model.h"
#include "kernels/error.h"

namespace {

struct Options {
  std::string model;
  std::string config;
  std::string json;
  std::string device = "cpu";
  std::string libraries = "auto";
  std::vector<std::string> precisions{"f32"};
  bool operations = false;
  bool explain = false;
  tpn::benchmarks::ModelBenchmark benchmark;
};

void declare(CLI::App& app, Options& o) {
  tpn::benchmarks::ModelBenchmark& b = o.benchmark;
  auto* source = app.add_option_group("model", "What to time");
  source->add_option("--model", o.model, "A model file, as tpn_convert writes it, or a checkpoint (.pth)")
      ->check(CLI::ExistingFile);
  source->add_option(
      "--config", o.config,
      "A built-in configuration's name, or a configuration's JSON file: timed with random weights");
  source->require_option(1);
  app.add_option("--device", o.device, "Where to run: cpu, cuda, or cuda:N for the GPU of that number")
      ->capture_default_str();
  app.add_option(
         "--libraries", o.libraries,
         "auto lets kernels of cuDNN and cuBLASLt take the place of slower ones of TPN, none does not")
      ->check(CLI::IsMember({"none", "auto"}))
      ->capture_default_str();
  app.add_option("--precision", o.precisions,
                 "f32, tf32, f16, bf16, or a list (default: f32); the cpu has f32 and bf16")
      ->delimiter(',')
      ->check(CLI::IsMember({"f32", "tf32", "f16", "bf16"}));
  app.add_option("--batch", b.batches, "Views per run, a list (default: 1)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--threads", b.threads, "Threads, a list; 0: as many as the machine has (default: 0)")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  app.add_option("--size", b.side, "Height and width of a view, pixels")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--frames", b.frames, "Frames of a view (default: the model's)")->check(CLI::PositiveNumber);
  app.add_option("--warmup", b.warmup, "Untimed runs")->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--runs", b.repetitions.runs, "Timed runs, at least")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--min-time", b.repetitions.seconds, "Seconds of timed runs, at least")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--peak-seconds", b.peak_seconds,
                 "How long each convolution of the peak's measurement is timed; 0: no peak")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--ops", o.operations, "Show where the time goes, by operation and by step");
  app.add_flag("--explain", o.explain,
               "Show each step beside what the GPU could do, and the kernels that it was chosen among");
  app.add_option("--json", o.json,
                 "Write the report as JSON to a file; with - to standard output instead of text");
  app.add_flag("--verify,!--no-verify", b.verify,
               "Compare the outputs with those of an unfused f32 plan before and after timing (default)");
  app.footer(
      "Rates are given in percent of the best that a plain convolution reached in the same run, on a GPU of "
      "what\n"
      "its clock and width allow.\n"
      "Exit status: 0; 1 when outputs are wrong or the model cannot be run; 2 when the options are wrong.\n\n"
      "Examples: tpn_bench --config tpn-slowonly-r50-8x8 --precision f32,bf16 --threads 2 --ops\n"
      "          tpn_bench --config tpn-slowonly-r50-8x8 --device cuda --precision bf16 --batch 1,30 "
      "--explain");
}

tpn::benchmarks::Numerics numerics_of(const std::string& name) {
  if (name == "tf32") return {tpn::DType::f32, true};
  if (name == "f16") return tpn::DType::f16;
  return name == "bf16" ? tpn::DType::bf16 : tpn::DType::f32;
}

int time_model(Options& o) {
  const tpn::benchmarks::BenchmarkDevice device =
      tpn::benchmarks::open_device(o.device, o.libraries == "auto");
  o.benchmark.precisions.clear();
  for (const std::string& name : o.precisions) o.benchmark.precisions.push_back(numerics_of(name));
  std::optional<tpn::benchmarks::TemporaryModel> random;
  std::optional<tpn::app::ModelArgument> given;
  if (o.model.empty()) {
    random.emplace(o.config);
    o.benchmark.model = random->path();
  } else {
    given.emplace(o.model,
                  [](const std::string& sentence) { std::cerr << "tpn_bench: " << sentence << '\n'; });
    o.benchmark.model = given->path();
  }
  const tpn::benchmarks::ModelReport report = run(o.benchmark, device);
  if (o.json != "-") {
    std::cout << to_text(report, o.operations);
    for (const auto& timing : report.timings) {
      if (o.explain) std::cout << explain(timing);
    }
  }
  if (o.json == "-") {
    std::cout << to_json(report);
  } else if (!o.json.empty()) {
    std::ofstream file(o.json);
    if (!(file << to_json(report) << std::flush)) throw tpn::Error("'" + o.json + "' could not be written.");
  }
  if (!report.correct()) std::cerr << "tpn_bench: the outputs are wrong.\n";
  return report.correct() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app("Times a TPN model.");
    app.set_version_flag("--version", "tpn_bench " TPN_VERSION);
    Options options;
    declare(app, options);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      return app.exit(e) == 0 ? 0 : 2;
    }
    return time_model(options);
  } catch (const std::exception& e) {
    std::cerr << "tpn_bench: " << e.what() << '\n';
    return 1;
  }
}
