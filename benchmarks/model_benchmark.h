// Times whole models.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/device.h"
#include "benchmarks/machine.h"
#include "benchmarks/peak.h"
#include "benchmarks/statistics.h"
#include "benchmarks/step_time.h"
#include "benchmarks/time.h"
#include "benchmarks/training_memory.h"
#include "benchmarks/verification.h"
#include "engine/train/trainer.h"

namespace tpn::benchmarks {

/// How the steps of a benchmark train.
struct TrainingSetup {
  TrainingOptions options;
  StepOptions step;
  /// Where to write the momentum after the first step, which is the clipped gradient and the decay of each
  /// parameter; empty: nowhere.
  std::filesystem::path momentum_file = {};
};

/// What to time: every combination of precision, threads and batch.
struct ModelBenchmark {
  std::filesystem::path model;  ///< a model file
  std::vector<Precision> precisions{Precision::f32};
  std::vector<int> threads{0};           ///< of the host, where they compute; 0: as many as the machine has
  std::vector<std::int64_t> batches{1};  ///< views per run
  std::int64_t side = 256;               ///< height and width of a view, pixels
  std::optional<std::int64_t> frames;    ///< of a view; absent: the model's
  int warmup = 2;                        ///< untimed runs
  Repetitions repetitions{.runs = 10};
  bool verify = true;
  /// Of each convolution of the peak's measurement, where the device's peak is not known; 0: no peak.
  double peak_seconds = 0.2;
  bool plan_only = false;                 ///< nothing is run: memory, bytes and operations
  std::optional<TrainingSetup> training;  ///< absent: inference
};

/// A step of training, as far as a report tells.
struct TrainedStep {
  double loss = 0;
  double gradient_norm = 0;

  bool operator==(const TrainedStep&) const = default;
};

/// What there is to tell of training besides times.
struct TrainingFigures {
  std::vector<std::int64_t> labels;
  TrainingMemory memory;
  std::vector<TrainedStep> first_steps;
  std::string fault;  ///< a sentence; empty: none was found
};

/// One combination.
struct ModelTiming {
  Precision precision = Precision::f32;
  int threads = 0;  ///< 0: not on the host
  std::int64_t views = 1;
  std::optional<Verification> verification;  ///< the worse one of before and after timing
  double plan_seconds = 0;                   ///< from opening the file to the plan
  /// Of one run, which has its input in the device's memory when it begins.
  Statistics seconds;
  std::vector<double> all_seconds;              ///< in the order of the runs
  std::optional<Statistics> processor_seconds;  ///< of one run, all threads of the host together
  std::int64_t multiply_adds = 0;               ///< of one run
  std::size_t arena_bytes = 0;                  ///< with the kernels' workspace
  std::optional<std::size_t> device_bytes;      ///< of the device's memory: weights and arena
  std::optional<Statistics> host_seconds;       ///< that the host takes to start a run on a device
  std::optional<Roofline> roofline;
  std::optional<std::size_t> peak_memory;  ///< of the process since before the file was opened
  std::vector<StepTime> steps;             ///< in the order of execution
  std::optional<TrainingFigures> training;
};

struct ModelReport {
  Machine machine;
  std::string model;  ///< file name
  std::string config;
  InputSize size;           ///< of one view
  std::vector<Peak> peaks;  ///< one per combination of precision and threads, unless left out
  std::vector<ModelTiming> timings;
  std::optional<TrainingSetup> training;  ///< as of the benchmark

  /// Whether every verification passed, and training showed no fault.
  [[nodiscard]] bool correct() const;
  /// The peak for that timing; null where none was measured.
  [[nodiscard]] const Peak* peak_of(const ModelTiming& timing) const;
};

/// A timing whose outputs are wrong is reported without steps and durations. Throws Error when the model or a
/// precision cannot be run.
ModelReport run(const ModelBenchmark& benchmark, const BenchmarkDevice& device = cpu_device());

/// Billions of floating-point operations per second; a multiply-add is two.
double gflops(std::int64_t multiply_adds, double seconds);

}  // namespace tpn::benchmarks
