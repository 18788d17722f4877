// Times a model with random weights on this machine's GPU: see usage.
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cuda_profiler_api.h>

#include "benchmarks/gpu/gpu_report.h"
#include "benchmarks/temporary_model.h"
#include "benchmarks/time.h"
#include "engine/exec/executor.h"
#include "engine/model/weights.h"
#include "kernels/convert.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/launch.h"
#include "tests/support/tolerance.h"

namespace tpn::benchmarks {
namespace {

constexpr std::string_view usage =
    "Usage: gpu_benchmark [--config NAME] [--precision LIST] [--batch LIST] [--size PIXELS] [--runs N]\n"
    "                     [--libraries none|auto] [--steps] [--json FILE]\n"
    "       gpu_benchmark --profile [OPTION...] | --save-model FILE [--config NAME] | --devices\n\n"
    "Times a built-in configuration (default: tpn-slowonly-r50-8x8) with random weights, in each of the\n"
    "precisions (f32, tf32, f16, bf16; default: bf16) with each number of views (default: 1,30). Its logits\n"
    "are first compared with those of an unfused plan in f32. --steps prints the time of every operation.\n"
    "--profile only runs the first combination, kernel by kernel, inside the range that profilers watch.\n"
    "--save-model writes the model with its random weights, --devices prints what GPUs there are.\n"
    "Exit status: 0; 1 when logits are wrong or the model cannot be run.\n";

struct Options {
  std::string config = "tpn-slowonly-r50-8x8";
  std::vector<Precision> precisions;
  std::vector<std::int64_t> batches;
  std::int64_t side = 256;
  std::int64_t runs = 20;
  CudaLibraries libraries = CudaLibraries::automatic;
  bool steps = false;
  bool profile = false;
  bool devices = false;
  std::string json;
  std::string save_model;
};

Precision precision_named(std::string_view name) {
  const std::array<Precision, 4> all{{{"f32", DType::f32, false, test::network_f32_relative_l2},
                                      {"tf32", DType::f32, true, test::unfused_f16_relative_l2},
                                      {"f16", DType::f16, false, test::unfused_f16_relative_l2},
                                      {"bf16", DType::bf16, false, test::unfused_bf16_relative_l2}}};
  const auto found = std::find_if(all.begin(), all.end(), [&](const Precision& p) { return p.name == name; });
  if (found == all.end()) throw Error("There is no precision '" + std::string(name) + "'.");
  return *found;
}

std::int64_t positive(std::string_view text) {
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || value < 1) {
    throw Error("'" + std::string(text) + "' is no positive number.");
  }
  return value;
}

/// Calls take(part) for every part of a comma-separated list.
template <class Take>
void each(std::string_view list, const Take& take) {
  for (std::size_t comma = 0; comma != std::string_view::npos;) {
    comma = list.find(',');
    take(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
}

/// Nothing where the help was asked for.
std::optional<Options> parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--help") return std::nullopt;
    bool* const flag = option == "--steps"     ? &o.steps
                       : option == "--profile" ? &o.profile
                       : option == "--devices" ? &o.devices
                                               : nullptr;
    if (flag != nullptr) {
      *flag = true;
      continue;
    }
    if (i + 1 == argc) throw Error(std::string(option) + " is unknown or lacks its value (see --help).");
    const std::string_view value = argv[++i];
    if (option == "--config") {
      o.config = value;
    } else if (option == "--precision") {
      each(value, [&](std::string_view name) { o.precisions.push_back(precision_named(name)); });
    } else if (option == "--batch") {
      each(value, [&](std::string_view views) { o.batches.push_back(positive(views)); });
    } else if (option == "--size") {
      o.side = positive(value);
    } else if (option == "--runs") {
      o.runs = positive(value);
    } else if (option == "--libraries" && (value == "none" || value == "auto")) {
      o.libraries = value == "none" ? CudaLibraries::none : CudaLibraries::automatic;
    } else if (option == "--json") {
      o.json = value;
    } else if (option == "--save-model") {
      o.save_model = value;
    } else {
      throw Error("'" + std::string(option) + " " + std::string(value) + "' is unknown (see --help).");
    }
  }
  if (o.precisions.empty()) o.precisions.push_back(precision_named("bf16"));
  if (o.batches.empty()) o.batches = {1, 30};
  return o;
}

std::shared_ptr<const CudaBackend> make_backend(const Options& o) {
  auto backend = std::make_shared<const CudaBackend>(CudaOptions{.libraries = o.libraries, .trials = true});
  backend->enter_thread();
  return backend;
}

std::shared_ptr<const Plan> make_plan(const std::filesystem::path& model, const InputSize& size,
                                      const Precision& precision,
                                      std::shared_ptr<const CudaBackend> backend) {
  const std::shared_ptr<const Weights> weights = Weights::load(model);
  return std::make_shared<Plan>(build_network(weights->config(), size), std::move(backend), *weights,
                                PlanOptions{.precision = precision.dtype, .tf32 = precision.tf32});
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

GpuTiming time_model(const std::filesystem::path& model, const InputSize& size, const Precision& precision,
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
  const std::vector<float> logits = to_floats(executor.result("logits"));
  const std::size_t compared = std::min(logits.size(), reference.size());
  timing.verification = {.deviation = test::relative_l2(std::span(logits).first(compared), reference),
                         .tolerance = precision.tolerance};
  timing.device_bytes = free_before - std::min(free_before, backend->free_memory());
  if (!timing.verification.passed()) return timing;

  // The input is there already: what is timed is the plan.
  std::vector<double> device_seconds;
  std::vector<double> wall_seconds;
  for (std::int64_t run = 0; run < runs + 3; ++run) {
    const std::unique_ptr<Mark> begin = executor.stream().mark();
    const double wall = time_of([&] { executor.run([](const TensorView&, Stream&) {}); });
    const double device = executor.stream().mark()->seconds_since(*begin);
    if (run < 3) continue;  // the clock of the device is still rising
    wall_seconds.push_back(wall);
    device_seconds.push_back(device);
  }
  timing.device_seconds = summarize(std::move(device_seconds));
  timing.wall_seconds = summarize(std::move(wall_seconds));
  timing.steps = time_steps(executor, std::min<std::int64_t>(runs, 5));
  return timing;
}

GpuReport run(const Options& o) {
  const auto backend = make_backend(o);
  GpuReport report;
  report.device = backend->device();
  report.libraries = backend->libraries();
  report.config = o.config;
  const TemporaryModel model(o.config);
  InputSize size = size_of(model.path(), o.side);
  const std::vector<float> reference = reference_logits(model.path(), size, backend);
  for (const Precision& precision : o.precisions) {
    for (const std::int64_t views : o.batches) {
      size.views = views;
      report.timings.push_back(time_model(model.path(), size, precision, backend, reference, o.runs));
    }
  }
  return report;
}

/// One run outside the profilers' range and one inside.
void profile(const Options& o) {
  const TemporaryModel model(o.config);
  InputSize size = size_of(model.path(), o.side);
  size.views = o.batches.front();
  Executor executor(make_plan(model.path(), size, o.precisions.front(), make_backend(o)));
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
}

void save_model(const Options& o) {
  const TemporaryModel model(o.config);
  std::filesystem::copy_file(model.path(), o.save_model, std::filesystem::copy_options::overwrite_existing);
}

int main_with(const Options& o) {
  if (o.devices || o.profile || !o.save_model.empty()) {
    if (o.devices) print_devices();
    if (!o.save_model.empty()) save_model(o);
    if (o.profile) profile(o);
    return 0;
  }
  const GpuReport report = run(o);
  print(report, o.steps, std::cout);
  if (!o.json.empty()) {
    std::ofstream file(o.json);
    if (!(file << to_json(report) << std::flush)) throw Error("'" + o.json + "' could not be written.");
  }
  if (!report.correct()) std::cerr << "gpu_benchmark: the logits are wrong.\n";
  return report.correct() ? 0 : 1;
}

}  // namespace
}  // namespace tpn::benchmarks

int main(int argc, char** argv) {
  try {
    const auto options = tpn::benchmarks::parse(argc, argv);
    if (options) return tpn::benchmarks::main_with(*options);
    std::cout << tpn::benchmarks::usage;
  } catch (const std::exception& e) {
    std::cerr << "gpu_benchmark: " << e.what() << '\n';
    return 1;
  }
}
