// Times a model with random weights on this machine's GPU: see usage.
#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/gpu/gpu_report.h"
#include "benchmarks/temporary_model.h"
#include "benchmarks/time.h"
#include "engine/exec/executor.h"
#include "engine/model/weights.h"
#include "kernels/convert.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/support/tolerance.h"

namespace tpn::benchmarks {
namespace {

constexpr std::string_view usage =
    "Usage: gpu_benchmark [--config NAME] [--precision LIST] [--batch LIST] [--size PIXELS] [--runs N]\n"
    "                     [--libraries none|auto] [--steps] [--json FILE]\n\n"
    "Times a built-in configuration (default: tpn-slowonly-r50-8x8) with random weights, in each of the\n"
    "precisions (f32, tf32, f16, bf16; default: bf16) with each number of views (default: 1,30). Its logits\n"
    "are first compared with those of an unfused plan in f32. --steps prints the time of every operation.\n"
    "Exit status: 0; 1 when logits are wrong or the model cannot be run.\n";

struct Options {
  std::string config = "tpn-slowonly-r50-8x8";
  std::vector<Precision> precisions;
  std::vector<std::int64_t> batches;
  std::int64_t side = 256;
  std::int64_t runs = 20;
  CudaLibraries libraries = CudaLibraries::automatic;
  bool steps = false;
  std::string json;
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
    if (option == "--steps") {
      o.steps = true;
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
    } else {
      throw Error("'" + std::string(option) + " " + std::string(value) + "' is unknown (see --help).");
    }
  }
  if (o.precisions.empty()) o.precisions.push_back(precision_named("bf16"));
  if (o.batches.empty()) o.batches = {1, 30};
  return o;
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
  timing.plan_seconds = time_of([&] {
    const std::shared_ptr<const Weights> weights = Weights::load(model);
    plan = std::make_shared<Plan>(build_network(weights->config(), size), backend, *weights,
                                  PlanOptions{.precision = precision.dtype, .tf32 = precision.tf32});
  });
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
  const auto backend = std::make_shared<const CudaBackend>(CudaOptions{.libraries = o.libraries});
  backend->enter_thread();
  GpuReport report;
  report.device = backend->device();
  report.libraries = backend->libraries();
  report.config = o.config;
  const TemporaryModel model(o.config);
  InputSize size{1, Weights::load(model.path())->config().view_frames(), o.side, o.side};
  const std::vector<float> reference = reference_logits(model.path(), size, backend);
  for (const Precision& precision : o.precisions) {
    for (const std::int64_t views : o.batches) {
      size.views = views;
      report.timings.push_back(time_model(model.path(), size, precision, backend, reference, o.runs));
    }
  }
  return report;
}

int main_with(const Options& o) {
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
