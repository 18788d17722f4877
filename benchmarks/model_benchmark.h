// Times whole models.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/machine.h"
#include "benchmarks/peak.h"
#include "benchmarks/statistics.h"
#include "benchmarks/time.h"
#include "benchmarks/verification.h"

namespace tpn::benchmarks {

/// What to time: every combination of precision, threads and batch.
struct ModelBenchmark {
  std::filesystem::path model;  ///< a model file
  std::vector<DType> precisions{DType::f32};
  std::vector<int> threads{0};           ///< 0: as many as the machine has
  std::vector<std::int64_t> batches{1};  ///< views per run
  std::int64_t side = 256;               ///< height and width of a view, pixels
  std::optional<std::int64_t> frames;    ///< of a view; absent: the model's
  int warmup = 2;                        ///< untimed runs
  Repetitions repetitions{.runs = 10};
  bool verify = true;
  double peak_seconds = 0.2;  ///< of each convolution of the peak's measurement; 0: no peak
};

/// One operation of a plan.
struct StepTime {
  std::string name;
  std::string op;
  std::string implementation;
  Statistics seconds;
  std::int64_t multiply_adds = 0;
  std::int64_t bytes = 0;  ///< moved at least, see bytes_moved()
};

/// One combination.
struct ModelTiming {
  DType precision = DType::f32;
  int threads = 0;
  std::int64_t views = 1;
  std::optional<Verification> verification;  ///< the worse one of before and after timing
  double plan_seconds = 0;                   ///< from opening the file to the plan
  Statistics seconds;                        ///< of one run
  std::int64_t multiply_adds = 0;            ///< of one run
  std::size_t arena_bytes = 0;
  std::optional<std::size_t> peak_memory;  ///< of the process since before the file was opened
  std::vector<StepTime> steps;             ///< in the order of execution
};

struct ModelReport {
  Machine machine;
  std::string model;  ///< file name
  std::string config;
  InputSize size;           ///< of one view
  std::vector<Peak> peaks;  ///< one per combination of precision and threads, unless left out
  std::vector<ModelTiming> timings;

  /// Whether every verification passed.
  [[nodiscard]] bool correct() const;
  /// The peak for that timing; null where none was measured.
  [[nodiscard]] const Peak* peak_of(const ModelTiming& timing) const;
};

/// Runs it on the CPU. A timing whose outputs are wrong is reported without steps and durations. Throws Error
/// when the model or a precision cannot be run.
ModelReport run(const ModelBenchmark& benchmark);

/// Billions of floating-point operations per second; a multiply-add is two.
double gflops(std::int64_t multiply_adds, double seconds);

}  // namespace tpn::benchmarks
