// Times a model with random weights on this machine's GPU: see help.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <cuda_profiler_api.h>

#include "benchmarks/gpu/gpu_report.h"
#include "benchmarks/temporary_model.h"
#include "benchmarks/time.h"
#include "engine/devices/cuda_device.h"
#include "engine/exec/executor.h"
#include "engine/model/output_file.h"
#include "engine/model/weights.h"
#include "kernels/convert.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/libraries/libraries.h"
#include "kernels/stopwatch.h"

namespace tpn::benchmarks {
namespace {

constexpr std::string_view help = R"(Times a built-in configuration with random weights on this machine's GPU.

Every combination of a precision and a number of views is a line; its logits are compared with those of an unfused
plan in f32 before and after it is timed, and --json is written anew after each, so that what was found stays when the
program is interrupted. What trials of kernels find out is kept where tpn_infer keeps it (TPN_CACHE_DIR).

Exit status: 0; 1 when logits are wrong, the model cannot be run, or the command line is wrong.)";

struct Options {
  std::string config = "tpn-slowonly-r50-8x8";
  std::vector<std::string> precisions{"bf16"};
  std::vector<std::int64_t> batches{30, 1};
  std::int64_t side = 256;
  std::int64_t runs = 20;
  std::string libraries = "auto";
  double trial_seconds = 60;
  bool steps = false;
  bool profile = false;
  bool devices = false;
  std::string json;
  std::string save_model;
};

void declare(CLI::App& app, Options& o) {
  app.add_option("--config", o.config, "The configuration")->capture_default_str();
  app.add_option("--precision", o.precisions,
                 "f32, tf32, f16, bf16, or a list, in the order of the runs (default: bf16)")
      ->delimiter(',')
      ->check(CLI::IsMember(precision_names()));
  app.add_option("--batch", o.batches, "Views per run, a list, in the order of the runs (default: 30,1)")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  app.add_option("--size", o.side, "Height and width of a view, pixels")
      ->capture_default_str()
      ->check(CLI::Range(32, 1024));
  app.add_option("--runs", o.runs, "Timed runs of each combination")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_option(
         "--libraries", o.libraries,
         "auto lets kernels of cuDNN and cuBLASLt take the place of slower ones of TPN, none does not")
      ->check(CLI::IsMember({"none", "auto"}))
      ->capture_default_str();
  app.add_option("--trial-seconds", o.trial_seconds, "For trying kernels, of each combination")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--steps", o.steps, "Print the time of every operation too");
  app.add_option("--json", o.json, "Write all numbers to this file");
  auto* other = app.add_option_group("Instead", "Something else than timing");
  other->add_flag("--profile", o.profile,
                  "Only run the first combination, kernel by kernel, inside the range that profilers watch");
  other->add_flag("--devices", o.devices, "Print what GPUs and libraries there are");
  other->add_option("--save-model", o.save_model, "Write the model with its random weights to this file");
  other->require_option(0, 1);
}

/// trial_seconds: 0 for none.
std::shared_ptr<const CudaBackend> make_backend(CudaLibraries libraries, double trial_seconds) {
  auto backend = make_cuda_backend(
      {.libraries = libraries, .trials = trial_seconds > 0, .trial_seconds = trial_seconds});
  backend->enter_thread();
  return backend;
}

/// One for each plan, which then has all the time for its trials.
std::shared_ptr<const CudaBackend> make_backend(const Options& o) {
  return make_backend(o.libraries == "none" ? CudaLibraries::none : CudaLibraries::automatic,
                      o.trial_seconds);
}

std::shared_ptr<const Plan> make_plan(const std::filesystem::path& model, const InputSize& size,
                                      Precision precision, std::shared_ptr<const CudaBackend> backend) {
  const std::shared_ptr<const Weights> weights = Weights::load(model);
  return std::make_shared<Plan>(build_network(weights->config(), size), std::move(backend), *weights,
                                PlanOptions{.precision = precision});
}

InputSize size_of(const std::filesystem::path& model, std::int64_t side) {
  return {1, Weights::load(model)->config().view_frames(), side, side};
}

/// The median time of every step over a few runs of each on its own.
std::vector<GpuStep> time_steps(Executor& executor, std::int64_t runs) {
  std::vector<std::vector<double>> series(executor.plan().steps().size());
  for (std::int64_t run = 0; run < runs; ++run) {
    const std::vector<double> seconds = executor.run_timed();
    for (std::size_t i = 0; i < seconds.size(); ++i) series[i].push_back(seconds[i]);
  }
  std::vector<GpuStep> steps;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const Step& step = executor.plan().steps()[i];
    const KernelWork work = step.kernel->work();
    steps.push_back({step.name, std::string(name_of(step.op)), step.kernel->implementation(),
                     summarize(series[i]).median, step.multiply_adds, work.multiply_adds, work.bytes});
  }
  return steps;
}

/// The executor's input as the device wants it.
Buffer staged_input(const Executor& executor) {
  const Slot& slot = executor.plan().input();
  Buffer staging = executor.plan().backend().allocate_staging(slot.bytes());
  std::fill_n(staging.data(), staging.bytes(), std::byte{0});
  spread_pixels(executor.input(), slot.stride(), staging.data());
  return staging;
}

/// Times runs of the plan. The input is uploaded before each, outside of what is timed: a run overwrites it.
void time_runs(Executor& executor, std::int64_t runs, GpuTiming& timing) {
  const Buffer input = staged_input(executor);
  std::vector<double> device_seconds, wall_seconds;
  constexpr std::int64_t warmup = 3;
  for (std::int64_t run = 0; run < runs + warmup; ++run) {
    executor.stream().upload(executor.device_input().data, input.data(), input.bytes());
    executor.stream().synchronize();
    const Stopwatch wall;
    const std::unique_ptr<Mark> begin = executor.stream().mark();
    executor.enqueue();
    const std::unique_ptr<Mark> end = executor.stream().mark();
    executor.stream().synchronize();
    const double seconds = wall.seconds();
    if (run < warmup) continue;
    wall_seconds.push_back(seconds);
    device_seconds.push_back(end->seconds_since(*begin));
  }
  timing.device_seconds = summarize(std::move(device_seconds));
  timing.wall_seconds = summarize(std::move(wall_seconds));
}

Verification verify(const Executor& executor, Precision precision, std::span<const float> reference) {
  const std::vector<float> logits = to_floats(executor.result("logits"));
  const std::size_t compared = std::min(logits.size(), reference.size());
  return verify_logits(std::span(logits).first(compared), precision, reference);
}

GpuTiming time_model(const std::filesystem::path& model, const InputSize& size, Precision precision,
                     const std::shared_ptr<const CudaBackend>& backend, std::span<const float> reference,
                     std::int64_t runs) {
  GpuTiming timing;
  timing.precision = precision;
  timing.views = size.views;
  const std::size_t free_before = backend->free_memory();
  std::shared_ptr<const Plan> plan;
  timing.plan_seconds = time_of([&] { plan = make_plan(model, size, precision, backend); });
  timing.multiply_adds = plan->multiply_adds();
  Executor executor(plan);
  fill_views(executor.input());
  timing.first_seconds = time_of([&] { executor.run(); });
  timing.verification = verify(executor, precision, reference);
  timing.device_bytes = free_before - std::min(free_before, backend->free_memory());
  if (!timing.verification.passed()) return timing;
  time_runs(executor, runs, timing);
  timing.verification = verify(executor, precision, reference);  // of the last of them
  timing.steps = time_steps(executor, std::min<std::int64_t>(runs, 5));
  return timing;
}

void write_json(const GpuReport& report, const std::string& path) {
  OutputFile file(path);
  file.write(to_json(report));
  file.commit();
}

GpuReport run(const Options& o) {
  const TemporaryModel model(o.config);
  InputSize size = size_of(model.path(), o.side);
  GpuReport report;
  report.config = o.config;
  {
    const auto backend = make_backend(o);
    report.device = backend->device();
    report.libraries = backend->libraries();
  }
  print_heading(report, std::cout);
  const std::vector<float> reference =
      reference_logits(model.path(), size, make_backend(CudaLibraries::none, 0));
  for (const std::string& precision : o.precisions) {
    for (const std::int64_t views : o.batches) {
      size.views = views;
      report.timings.push_back(
          time_model(model.path(), size, precision_named(precision), make_backend(o), reference, o.runs));
      print(report, report.timings.back(), o.steps, std::cout);
      std::cout.flush();
      if (!o.json.empty()) write_json(report, o.json);
    }
  }
  return report;
}

/// One run outside the profilers' range and one inside.
void profile(const Options& o) {
  const TemporaryModel model(o.config);
  InputSize size = size_of(model.path(), o.side);
  size.views = o.batches.front();
  Executor executor(make_plan(model.path(), size, precision_named(o.precisions.front()), make_backend(o)));
  fill_views(executor.input());
  executor.run_timed();
  cuda::check(cudaProfilerStart(), "starting the profiler");
  executor.run_timed();
  cuda::check(cudaProfilerStop(), "stopping the profiler");
}

void print_devices() {
  for (const cuda::DeviceInfo& d : cuda::usable_devices().value_or_throw()) {
    std::cout << d.index << ": " << d.name << ", compute capability " << d.major << '.' << d.minor << ", "
              << d.multiprocessors << " multiprocessors, " << d.memory_bytes / (1U << 20U) << " MiB, driver "
              << cuda::driver_version() << ", runtime " << cuda::runtime_version() << '\n';
  }
  const std::string versions = cuda::library_versions(cuda::libraries());
  std::cout << "libraries: " << (versions.empty() ? "none" : versions) << '\n';
}

void save_model(const Options& o) {
  const TemporaryModel model(o.config);
  std::filesystem::copy_file(model.path(), o.save_model, std::filesystem::copy_options::overwrite_existing);
}

int main_with(const Options& o) {
  if (o.devices) {
    print_devices();
  } else if (!o.save_model.empty()) {
    save_model(o);
  } else if (o.profile) {
    profile(o);
  } else if (!run(o).correct()) {
    std::cerr << "gpu_benchmark: the logits are wrong.\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace tpn::benchmarks

int main(int argc, char** argv) {
  tpn::benchmarks::Options options;
  CLI::App app{std::string(tpn::benchmarks::help)};
  tpn::benchmarks::declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 1;
  }
  try {
    return tpn::benchmarks::main_with(options);
  } catch (const std::exception& e) {
    std::cerr << "gpu_benchmark: " << e.what() << '\n';
    return 1;
  }
}
