#include "benchmarks/model_benchmark.h"

#include <algorithm>
#include <memory>

#include "benchmarks/training_benchmark.h"
#include "engine/exec/executor.h"
#include "engine/model/weights.h"
#include "kernels/convert.h"

namespace tpn::benchmarks {
namespace {

/// Compares the last run with the reference; the worse of this and the earlier result.
void verify(const Executor& executor, Precision precision, const std::vector<float>& reference,
            std::optional<Verification>& result) {
  const std::vector<float> found = to_floats(executor.result("logits"));
  const Verification now = verify_logits(found, precision, reference);
  if (!result || !(now.deviation <= result->deviation)) result = now;
}

/// The input as it lies in a device's memory, ready to be uploaded without a detour.
Buffer staged_input(const Executor& executor) {
  const Slot& slot = executor.plan().input();
  Buffer staging = executor.plan().backend().allocate_staging(slot.bytes());
  std::fill_n(staging.data(), staging.bytes(), std::byte{0});
  fill_views(executor.input());
  spread_pixels(executor.input(), slot.stride(), staging.data());
  return staging;
}

/// Whole runs are timed between two marks, so that neither the input's way to the device nor the host's
/// part counts, and once more step by step.
std::vector<std::vector<double>> time_on_device(const ModelBenchmark& benchmark, Executor& executor,
                                                ModelTiming& timing) {
  constexpr int most_step_runs = 5;
  const Buffer input = staged_input(executor);
  std::vector<double> device, host;
  double total = 0;
  while (device.size() < static_cast<std::size_t>(benchmark.repetitions.runs) ||
         total < benchmark.repetitions.seconds) {
    executor.stream().upload(executor.device_input().data, input.data(), input.bytes());
    const std::unique_ptr<Mark> begin = executor.stream().mark();
    host.push_back(time_of([&] { executor.enqueue(); }));
    device.push_back(executor.stream().mark()->seconds_since(*begin));
    total += device.back();
  }
  executor.stream().synchronize();
  timing.all_seconds = std::move(device);
  timing.seconds = summarize(timing.all_seconds);
  timing.host_seconds = summarize(std::move(host));
  std::vector<std::vector<double>> series;
  fill_views(executor.input());
  for (int i = 0; i < std::min(benchmark.repetitions.runs, most_step_runs); ++i) {
    series.push_back(executor.run_timed());
  }
  return series;
}

std::vector<std::vector<double>> time_on_host(const ModelBenchmark& benchmark, Executor& executor,
                                              ModelTiming& timing) {
  std::vector<std::vector<double>> series;
  timing.all_seconds = repeat(
      benchmark.repetitions, [&] { series.push_back(executor.run_timed()); },
      [&] { fill_views(executor.input()); });
  timing.seconds = summarize(timing.all_seconds);
  return series;
}

ModelTiming time_model(const ModelBenchmark& benchmark, const InputSize& size, Precision precision,
                       const std::shared_ptr<const Backend>& backend, const std::vector<float>& reference) {
  ModelTiming timing;
  timing.precision = precision;
  timing.views = size.views;
  const bool memory_known = reset_peak_memory();
  const std::size_t device_free = backend->free_memory();
  std::shared_ptr<const Weights> weights;
  std::shared_ptr<const Plan> plan;
  timing.plan_seconds = time_of([&] {
    weights = Weights::load(benchmark.model);
    plan = std::make_shared<Plan>(build_network(weights->config(), size), backend, *weights,
                                  PlanOptions{.precision = precision});
  });
  timing.multiply_adds = plan->multiply_adds();
  timing.arena_bytes = plan->arena_bytes();
  if (benchmark.plan_only) {
    timing.steps = step_times(*plan, storage_type(precision), {});
    return timing;
  }

  Executor executor(plan);
  const std::size_t device_left = backend->free_memory();
  if (device_free > device_left) timing.device_bytes = device_free - device_left;
  for (int i = 0; i < std::max(benchmark.warmup, 1); ++i) {
    fill_views(executor.input());  // a run overwrites its input
    executor.run();
  }
  if (benchmark.verify) {
    verify(executor, precision, reference, timing.verification);
    if (!timing.verification->passed()) return timing;
  }
  const std::vector<std::vector<double>> series = backend->uses_host_memory()
                                                      ? time_on_host(benchmark, executor, timing)
                                                      : time_on_device(benchmark, executor, timing);
  if (benchmark.verify) verify(executor, precision, reference, timing.verification);
  if (memory_known) timing.peak_memory = peak_memory();
  timing.steps = step_times(*plan, storage_type(precision), series);
  if (!backend->uses_host_memory()) {
    std::vector<std::vector<LaunchReport>> launches = executor.observe_launches();
    for (std::size_t i = 0; i < launches.size(); ++i) timing.steps[i].launches = std::move(launches[i]);
  }
  return timing;
}

}  // namespace

bool ModelReport::correct() const {
  return std::all_of(timings.begin(), timings.end(), [](const ModelTiming& t) {
    return (!t.verification || t.verification->passed()) && (!t.training || t.training->fault.empty());
  });
}

const Peak* ModelReport::peak_of(const ModelTiming& timing) const {
  const auto found = std::find_if(peaks.begin(), peaks.end(), [&](const Peak& p) {
    return p.precision == timing.precision && p.threads == timing.threads;
  });
  return found == peaks.end() ? nullptr : &*found;
}

ModelReport run(const ModelBenchmark& benchmark, const BenchmarkDevice& device) {
  const std::shared_ptr<const Backend> whole_machine = device.backend(0);
  for (const Precision precision : benchmark.precisions) {
    if (!supports(*whole_machine, precision))
      throw Error("The device '" + std::string(whole_machine->name()) +
                  "' of this machine does not compute in " + std::string(name_of(precision)) + ".");
  }
  ModelReport report;
  report.machine = describe_machine(*whole_machine);
  report.model = benchmark.model.filename().string();
  report.training = benchmark.training;
  {
    const std::shared_ptr<const Weights> weights = Weights::load(benchmark.model);
    report.config = weights->config().name;
    report.size = {1, benchmark.frames.value_or(weights->config().view_frames()), benchmark.side,
                   benchmark.side};
  }
  std::vector<float> reference;
  if (benchmark.verify && !benchmark.plan_only && !benchmark.training) {
    InputSize all_views = report.size;
    all_views.views = *std::max_element(benchmark.batches.begin(), benchmark.batches.end());
    reference = reference_logits(benchmark.model, all_views, cpu_device().backend(0));
  }
  for (const Precision precision : benchmark.precisions) {
    for (const int wanted : benchmark.threads) {
      const std::shared_ptr<const Backend> backend = device.backend(wanted);
      const int threads = device.threads(*backend);
      const auto peak = [&] { return measure_peak(*backend, precision, threads, benchmark.peak_seconds); };
      const bool measured = !device.roofline && benchmark.peak_seconds > 0 && !benchmark.plan_only;
      if (measured) report.peaks.push_back(peak());
      for (const std::int64_t views : benchmark.batches) {
        InputSize size = report.size;
        size.views = views;
        ModelTiming timing = benchmark.training ? time_training(benchmark, size, precision, backend)
                                                : time_model(benchmark, size, precision, backend, reference);
        timing.threads = threads;
        if (device.roofline) timing.roofline = device.roofline(precision);
        report.timings.push_back(std::move(timing));
      }
      // Measured before and after, because other work on the machine comes and goes.
      if (measured) report.peaks.back() = better_of(report.peaks.back(), peak());
    }
  }
  return report;
}

double gflops(std::int64_t multiply_adds, double seconds) {
  return 2e-9 * static_cast<double>(multiply_adds) / seconds;
}

}  // namespace tpn::benchmarks
