#include "benchmarks/model_benchmark.h"

#include <algorithm>
#include <memory>

#include "benchmarks/check_case.h"
#include "engine/exec/executor.h"
#include "engine/model/weights.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"

namespace tpn::benchmarks {
namespace {

std::vector<Shape> shapes_of(const std::vector<Slot>& slots) {
  std::vector<Shape> shapes;
  shapes.reserve(slots.size());
  for (const Slot& slot : slots) shapes.push_back(slot.shape);
  return shapes;
}

/// series: the seconds of each step, one vector per run.
std::vector<StepTime> step_times(const Plan& plan, DType precision,
                                 const std::vector<std::vector<double>>& series) {
  std::vector<StepTime> times;
  for (std::size_t i = 0; i < plan.steps().size(); ++i) {
    const Step& step = plan.steps()[i];
    std::vector<double> seconds;
    seconds.reserve(series.size());
    for (const std::vector<double>& run : series) seconds.push_back(run[i]);
    times.push_back({step.name, std::string(name_of(step.op)), step.kernel->implementation(),
                     summarize(std::move(seconds)), step.multiply_adds,
                     bytes_moved(shapes_of(step.inputs), shapes_of(step.outputs), precision)});
  }
  return times;
}

/// Compares the last run with the reference; the worse of this and the earlier result.
void verify(const Executor& executor, DType precision, const std::vector<float>& reference,
            std::optional<Verification>& result) {
  const std::vector<float> found = to_floats(executor.result("logits"));
  const Verification now = verify_logits(found, precision, reference);
  if (!result || !(now.deviation <= result->deviation)) result = now;
}

ModelTiming time_model(const ModelBenchmark& benchmark, const InputSize& size, DType precision,
                       std::shared_ptr<const CpuBackend> backend, const std::vector<float>& reference) {
  ModelTiming timing;
  timing.precision = precision;
  timing.threads = backend->threads();
  timing.views = size.views;
  const bool memory_known = reset_peak_memory();
  std::shared_ptr<const Weights> weights;
  std::shared_ptr<const Plan> plan;
  timing.plan_seconds = time_of([&] {
    weights = Weights::load(benchmark.model);
    plan = std::make_shared<Plan>(build_network(weights->config(), size), std::move(backend), *weights,
                                  PlanOptions{.precision = precision});
  });
  timing.multiply_adds = plan->multiply_adds();
  timing.arena_bytes = plan->arena_bytes();

  Executor executor(plan);
  const auto prepare = [&] { fill_views(executor.input()); };  // a run overwrites its input
  for (int i = 0; i < std::max(benchmark.warmup, 1); ++i) {
    prepare();
    executor.run();
  }
  if (benchmark.verify) {
    verify(executor, precision, reference, timing.verification);
    if (!timing.verification->passed()) return timing;
  }
  std::vector<std::vector<double>> series;
  timing.seconds = summarize(repeat(
      benchmark.repetitions, [&] { series.push_back(executor.run_timed()); }, prepare));
  if (benchmark.verify) verify(executor, precision, reference, timing.verification);
  if (memory_known) timing.peak_memory = peak_memory();
  timing.steps = step_times(*plan, precision, series);
  return timing;
}

}  // namespace

bool ModelReport::correct() const {
  return std::all_of(timings.begin(), timings.end(),
                     [](const ModelTiming& t) { return !t.verification || t.verification->passed(); });
}

const Peak* ModelReport::peak_of(const ModelTiming& timing) const {
  const auto found = std::find_if(peaks.begin(), peaks.end(), [&](const Peak& p) {
    return p.precision == timing.precision && p.threads == timing.threads;
  });
  return found == peaks.end() ? nullptr : &*found;
}

ModelReport run(const ModelBenchmark& benchmark) {
  const auto whole_machine = std::make_shared<CpuBackend>();
  for (const DType precision : benchmark.precisions) {
    if (!whole_machine->supports(precision))
      throw Error("This processor does not compute in " + std::string(name_of(precision)) + ".");
  }
  ModelReport report;
  report.machine = describe_machine(*whole_machine);
  report.model = benchmark.model.filename().string();
  {
    const std::shared_ptr<const Weights> weights = Weights::load(benchmark.model);
    report.config = weights->config().name;
    report.size = {1, benchmark.frames.value_or(weights->config().view_frames()), benchmark.side,
                   benchmark.side};
  }
  std::vector<float> reference;
  if (benchmark.verify) {
    InputSize all_views = report.size;
    all_views.views = *std::max_element(benchmark.batches.begin(), benchmark.batches.end());
    reference = reference_logits(benchmark.model, all_views, whole_machine);
  }
  for (const DType precision : benchmark.precisions) {
    for (const int threads : benchmark.threads) {
      const auto backend = std::make_shared<CpuBackend>(threads);
      const auto peak = [&] {
        return measure_peak(*backend, precision, backend->threads(), benchmark.peak_seconds);
      };
      if (benchmark.peak_seconds > 0) report.peaks.push_back(peak());
      for (const std::int64_t views : benchmark.batches) {
        InputSize size = report.size;
        size.views = views;
        report.timings.push_back(time_model(benchmark, size, precision, backend, reference));
      }
      // Measured before and after, because other work on the machine comes and goes.
      if (benchmark.peak_seconds > 0) report.peaks.back() = better_of(report.peaks.back(), peak());
    }
  }
  return report;
}

double gflops(std::int64_t multiply_adds, double seconds) {
  return 2e-9 * static_cast<double>(multiply_adds) / seconds;
}

}  // namespace tpn::benchmarks
