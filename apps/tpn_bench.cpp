// Times a model: latency, throughput, memory, and where the time goes.
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/files_in_use.h"
#include "apps/model_argument.h"
#include "apps/number.h"
#include "apps/program.h"
#include "apps/result_file.h"
#include "benchmarks/device.h"
#include "benchmarks/explain.h"
#include "benchmarks/model_benchmark.h"
#include "benchmarks/report.h"
#include "benchmarks/temporary_model.h"
#include "kernels/cpu/processors.h"
#include "kernels/error.h"
#include "kernels/precision_info.h"

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
  bool train = false;
  std::vector<std::string> frozen;
  std::optional<double> dropout;
  std::optional<int> classes;
  std::string momentum;
  tpn::benchmarks::ModelBenchmark benchmark;
};

// Beyond them a run takes days, or more memory than machines have.
constexpr int most_views = 1000, most_pixels = 4096, most_frames = 1000, most_runs = 1000000,
              most_seconds = 86400, most_classes = 100000;

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
      ->check(CLI::IsMember(tpn::precision_names()));
  app.add_option("--batch", b.batches, "Views per run, a list (default: 1)")
      ->delimiter(',')
      ->transform(tpn::app::whole_number(1, most_views));
  app.add_option(
         "--threads", b.threads,
         "Threads, a list; 0: OMP_NUM_THREADS, or the processors that the process may use (default: 0)")
      ->delimiter(',')
      ->transform(tpn::app::whole_number(0, tpn::cpu::most_threads()));
  app.add_option("--size", b.side, "Height and width of a view, pixels")
      ->capture_default_str()
      ->transform(tpn::app::whole_number(1, most_pixels));
  app.add_option("--frames", b.frames, "Frames of a view (default: the model's)")
      ->transform(tpn::app::whole_number(1, most_frames));
  app.add_option("--warmup", b.warmup, "Untimed runs")
      ->capture_default_str()
      ->transform(tpn::app::whole_number(0, most_runs));
  app.add_option("--runs", b.repetitions.runs, "Timed runs, at least")
      ->capture_default_str()
      ->transform(tpn::app::whole_number(1, most_runs));
  app.add_option("--min-time", b.repetitions.seconds, "Seconds of timed runs, at least")
      ->capture_default_str()
      ->transform(tpn::app::decimal_number(0, most_seconds));
  app.add_option("--peak-seconds", b.peak_seconds,
                 "How long each convolution of the peak's measurement is timed; 0: no peak")
      ->capture_default_str()
      ->transform(tpn::app::decimal_number(0, most_seconds));
  app.add_flag("--ops", o.operations, "Show where the time goes, by operation and by step");
  app.add_flag("--explain", o.explain,
               "Show each step beside what the GPU could do, and the kernels that it was chosen among");
  app.add_flag("--plan-only", b.plan_only, "Run nothing: memory, bytes and operations, by the plan");
  auto* train = app.add_flag("--train", o.train, "Time steps of training: forward, backward and update");
  app.add_option("--freeze", o.frozen,
                 "Modules that are not learned, a list: backbone,neck leaves the classifier to learn")
      ->delimiter(',')
      ->needs(train);
  app.add_option("--dropout", o.dropout, "Share of elements zeroed before classifiers (default: the model's)")
      ->needs(train)
      ->transform(tpn::app::decimal_number(0, 1));
  app.add_option("--save-momentum", o.momentum,
                 "Write the momentum after the first step: the clipped gradients, with weight decay")
      ->needs(train);
  app.add_option("--classes", o.classes, "Classes of a configuration (default: its own)")
      ->excludes("--model")
      ->transform(tpn::app::whole_number(2, most_classes));
  app.add_option("--json", o.json,
                 "Write the report as JSON to a file; with - to standard output instead of text");
  app.add_flag("--verify,!--no-verify", b.verify,
               "Compare the outputs with those of an unfused f32 plan before and after timing; with --train "
               "gradients, before timing, and repeat the first steps (default)");
  app.footer(
      "Rates are given in percent of the best that a plain convolution reached in the same run, on a GPU of "
      "what\n"
      "its clock and width allow.\n"
      "Exit status: 0; 1 when outputs are wrong or the model cannot be run; 2 when the options are wrong;\n" +
      std::string(tpn::app::common_exit_statuses) +
      "\n\n"
      "Examples: tpn_bench --config tpn-slowonly-r50-8x8 --precision f32,bf16 --threads 2 --ops\n"
      "          tpn_bench --config tpn-slowonly-r50-8x8 --device cuda --precision bf16 --batch 1,30 "
      "--explain\n"
      "          tpn_bench --train --config tpn-slowonly-r50-8x8 --batch 8 --size 224 --precision bf16 "
      "--plan-only --explain");
}

int time_model(Options& o) {
  tpn::app::FilesInUse files;
  if (!o.model.empty()) files.reads(o.model, "model");
  if (!o.config.empty()) files.reads(o.config, "configuration");
  std::optional<tpn::app::ResultFile> json;
  if (o.json == "-") {
    json.emplace();
  } else if (!o.json.empty()) {
    files.writes(o.json, "--json " + o.json);
    json.emplace(o.json);
  }
  if (!o.momentum.empty()) files.writes(o.momentum, "--save-momentum " + o.momentum);
  files.writes_standard_output();
  const tpn::benchmarks::BenchmarkDevice device =
      tpn::benchmarks::open_device(o.device, o.libraries == "auto");
  o.benchmark.precisions.clear();
  for (const std::string& name : o.precisions) o.benchmark.precisions.push_back(tpn::precision_named(name));
  if (o.train) {
    o.benchmark.training = {.options = {.form = {.dropout = o.dropout, .frozen = o.frozen}},
                            .step = {},
                            .momentum_file = o.momentum};
  }
  std::optional<tpn::benchmarks::TemporaryModel> random;
  std::optional<tpn::app::AtInterrupt> at_interrupt;
  if (o.model.empty()) {
    const auto together = tpn::app::uninterrupted();
    random.emplace();
    at_interrupt.emplace([&random] {
      random->remove();
      return std::string();
    });
  }
  if (random) random->write(o.config, o.classes);
  std::optional<tpn::app::ModelArgument> given;
  if (!random) given.emplace(o.model, tpn::app::say);
  o.benchmark.model = random ? random->path() : given->path();
  const tpn::benchmarks::ModelReport report = run(o.benchmark, device);
  if (o.json != "-") {
    std::string text = to_text(report, o.operations);
    for (const auto& timing : report.timings) {
      if (!o.explain) continue;
      text +=
          o.train ? explain_training(timing, peak_gflops(timing, report.peak_of(timing))) : explain(timing);
    }
    tpn::app::print(text);
  }
  if (json) {
    json->write(to_json(report));
    json->finish();
  }
  if (!report.correct()) tpn::app::say("the outputs are wrong.");
  return report.correct() ? tpn::app::success : tpn::app::input_failed;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Times a TPN model.", "tpn_bench");
  app.set_version_flag("--version", "tpn_bench " TPN_VERSION);
  Options options;
  declare(app, options);
  return tpn::app::run_program(app, argc, argv, tpn::app::input_failed, [&] { return time_model(options); });
} catch (const std::exception& error) {
  return tpn::app::failed_to_start(error);
}
