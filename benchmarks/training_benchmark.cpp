#include "benchmarks/training_benchmark.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "engine/model/safetensors.h"
#include "engine/model/weights.h"
#include "kernels/verify/tolerance.h"

namespace tpn::benchmarks {
namespace {

/// How many steps are looked at before any is timed: the third sees momentum of two.
constexpr int first_steps = 3;

/// What the momentum of every parameter is, by the parameters' names.
using Momentum = std::map<std::string, std::vector<float>>;

/// Trains on the same batch again and again.
class BatchTrainer {
 public:
  BatchTrainer(const Weights& weights, const TrainingSetup& setup, const InputSize& size,
               const std::shared_ptr<const Backend>& backend, const PlanOptions& plan)
      : setup_(setup),
        labels_(labels_of(size.views, weights.config().head.num_classes)),
        trainer_(weights.config(), size, setup.options, backend, plan, weights) {}

  [[nodiscard]] const Plan& plan() const { return trainer_.plan(); }
  void restart(const Weights& weights) { trainer_.restart(weights); }

  /// A step overwrites its views.
  void fill() const { fill_views(trainer_.views()); }
  TrainedStep step() { return told(trainer_.step(labels_, setup_.step)); }
  TrainedStep step_timed(std::vector<double>& seconds) {
    return told(trainer_.step_timed(labels_, setup_.step, seconds));
  }
  std::vector<TrainedStep> steps(int count) {
    std::vector<TrainedStep> done;
    for (int i = 0; i < count; ++i) {
      fill();
      done.push_back(step());
    }
    return done;
  }

  [[nodiscard]] Momentum momentum() const {
    Momentum all;
    for (const PersistentTensor& tensor : plan().persistent()) {
      if (tensor.role != Role::state) continue;
      std::vector<float>& values = all[tensor.name];
      values.resize(static_cast<std::size_t>(tensor.spec.shape.count()));
      trainer_.store().read(tensor.name,
                            {reinterpret_cast<std::byte*>(values.data()), DType::f32, tensor.spec.shape});
    }
    return all;
  }

 private:
  static TrainedStep told(const StepResult& result) { return {result.loss, result.gradient_norm}; }

  const TrainingSetup& setup_;
  std::vector<std::int64_t> labels_;
  Trainer trainer_;
};

double relative_difference(double found, double expected) {
  return std::abs(found - expected) / std::abs(expected);
}

/// The larger; NaN where either is.
double worse(double a, double b) {
  return b <= a ? a : b;
}

/// A batch on which a step that keeps every tensor in f32 takes some 1.5 GB at most for 50 layers, or the
/// benchmark's own if that is smaller.
InputSize verified_size(const InputSize& timed) {
  constexpr std::int64_t views = 2, side = 112;
  return {std::min(timed.views, views), timed.frames, std::min(timed.height, side),
          std::min(timed.width, side)};
}

std::vector<float> joined(const Momentum& momentum) {
  std::vector<float> all;
  for (const auto& [name, values] : momentum) all.insert(all.end(), values.begin(), values.end());
  return all;
}

/// The first step's loss, gradient norm and momentum, against those of an unfused plan in f32 on the host.
Verification verify_step(const Weights& weights, const TrainingSetup& setup, const InputSize& size,
                         Precision precision, const std::shared_ptr<const Backend>& backend) {
  const auto first = [&](const std::shared_ptr<const Backend>& device, const PlanOptions& plan) {
    BatchTrainer trainer(weights, setup, size, device, plan);
    const TrainedStep step = trainer.steps(1).front();
    return std::pair(step, trainer.momentum());
  };
  const auto [expected, expected_momentum] =
      first(cpu_device().backend(0), {.fuse = false, .reorder = false});
  const auto [found, found_momentum] = first(backend, {.precision = precision});
  double deviation = worse(relative_difference(found.loss, expected.loss),
                           relative_difference(found.gradient_norm, expected.gradient_norm));
  if (precision == Precision::f32) {
    for (const auto& [name, values] : expected_momentum) {
      deviation = worse(deviation, verify::relative_l2(found_momentum.at(name), values));
    }
    return {.deviation = deviation, .tolerance = verify::train_f32_relative_l2};
  }
  // In fewer bits the gradients of single small parameters are noise: all of them are one vector.
  deviation = worse(deviation, verify::relative_l2(joined(found_momentum), joined(expected_momentum)));
  return {.deviation = deviation, .tolerance = verify::unfused_train_bf16_relative_l2};
}

void write_momentum(const BatchTrainer& trainer, const std::filesystem::path& path) {
  const Momentum all = trainer.momentum();
  std::vector<SafetensorsOutput> outputs;
  for (const PersistentTensor& tensor : trainer.plan().persistent()) {
    if (tensor.role != Role::state) continue;
    outputs.push_back(
        {tensor.name, DType::f32, tensor.spec.shape,
         [&all, name = tensor.name](const auto& sink) { sink(std::as_bytes(std::span(all.at(name)))); }});
  }
  write_safetensors(path, {}, outputs);
}

/// What is wrong with the first steps, a sentence; empty when nothing is.
std::string fault_of(const std::vector<TrainedStep>& steps, const std::vector<TrainedStep>& repeated) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!std::isfinite(steps[i].loss) || !std::isfinite(steps[i].gradient_norm)) {
      return "The loss or the gradient of step " + std::to_string(i + 1) + " is not finite.";
    }
  }
  return steps == repeated ? "" : "The first steps, done once more, gave other losses or gradients.";
}

std::vector<std::vector<double>> time_steps(const ModelBenchmark& benchmark, const Backend& backend,
                                            BatchTrainer& trainer, ModelTiming& timing) {
  constexpr int most_step_runs = 5;
  std::vector<std::vector<double>> series;
  const auto by_step = [&] { (void)trainer.step_timed(series.emplace_back()); };
  const auto fill = [&] { trainer.fill(); };
  if (backend.uses_host_memory()) {
    std::vector<double> processor;
    const auto timed = [&] {
      const double before = processor_seconds();
      by_step();
      processor.push_back(processor_seconds() - before);
    };
    timing.all_seconds = repeat(benchmark.repetitions, timed, fill);
    timing.seconds = summarize(timing.all_seconds);
    timing.processor_seconds = summarize(std::move(processor));
    return series;
  }
  const auto whole = [&] { (void)trainer.step(); };
  timing.all_seconds = repeat(benchmark.repetitions, whole, fill);
  timing.seconds = summarize(timing.all_seconds);
  (void)repeat({.runs = std::min(benchmark.repetitions.runs, most_step_runs)}, by_step, fill);
  return series;
}

}  // namespace

std::vector<std::int64_t> labels_of(std::int64_t views, std::int64_t classes) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < views; ++i) labels.push_back((3 + 7 * i) % classes);
  return labels;
}

ModelTiming time_training(const ModelBenchmark& benchmark, const InputSize& size, Precision precision,
                          const std::shared_ptr<const Backend>& backend) {
  const TrainingSetup& setup = benchmark.training.value();
  ModelTiming timing;
  timing.precision = precision;
  timing.views = size.views;
  const std::shared_ptr<const Weights> weights = Weights::load(benchmark.model);
  TrainingFigures& figures = timing.training.emplace();
  figures.labels = labels_of(size.views, weights->config().head.num_classes);
  const auto describe = [&](const Plan& plan) {
    timing.multiply_adds = plan.multiply_adds();
    timing.arena_bytes = plan.arena_bytes();
    figures.memory = training_memory(plan);
  };
  if (benchmark.plan_only) {
    std::unique_ptr<Plan> plan;
    timing.plan_seconds = time_of([&] {
      plan = std::make_unique<Plan>(build_training_graph(weights->config(), size, setup.options), backend,
                                    PlanOptions{.precision = precision});
    });
    describe(*plan);
    timing.steps = step_times(*plan, storage_type(precision), {});
    return timing;
  }
  if (benchmark.verify) {
    timing.verification = verify_step(*weights, setup, verified_size(size), precision, backend);
    if (!timing.verification->passed()) return timing;
  }

  const bool memory_known = reset_peak_memory();
  const std::size_t device_free = backend->free_memory();
  std::unique_ptr<BatchTrainer> trainer;
  timing.plan_seconds = time_of([&] {
    trainer =
        std::make_unique<BatchTrainer>(*weights, setup, size, backend, PlanOptions{.precision = precision});
  });
  describe(trainer->plan());
  const std::size_t device_left = backend->free_memory();
  if (device_free > device_left) timing.device_bytes = device_free - device_left;

  figures.first_steps = trainer->steps(1);
  if (!setup.momentum_file.empty()) write_momentum(*trainer, setup.momentum_file);
  for (const TrainedStep& step : trainer->steps(first_steps - 1)) figures.first_steps.push_back(step);
  std::vector<TrainedStep> repeated = figures.first_steps;
  if (benchmark.verify) {
    trainer->restart(*weights);
    repeated = trainer->steps(first_steps);
  }
  figures.fault = fault_of(figures.first_steps, repeated);
  if (!figures.fault.empty()) return timing;
  (void)trainer->steps(std::max(benchmark.warmup - first_steps, 0));

  const std::vector<std::vector<double>> series = time_steps(benchmark, *backend, *trainer, timing);
  if (memory_known) timing.peak_memory = peak_memory();
  timing.steps = step_times(trainer->plan(), storage_type(precision), series);
  return timing;
}

}  // namespace tpn::benchmarks
