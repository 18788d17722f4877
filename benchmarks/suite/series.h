// What a run of the benchmark suite found: series of timings and of memory, as they are kept in a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tpn::benchmarks {

/// One series for each round: programs run in turns, several times over, so that neither a busy minute of the
/// machine nor the luck of one process decides.
using Rounds = std::vector<std::vector<double>>;

enum class Unit : std::uint8_t { seconds, bytes };

/// One quantity, less of which is better.
struct Series {
  std::string benchmark;             ///< "inference"
  std::string variant;               ///< precision, or case of an operation; may be empty
  std::map<std::string, double> at;  ///< "batch", "threads", "views" ...
  Unit unit = Unit::seconds;
  bool yardstick = false;  ///< of another program, which is measured for comparison
  Rounds rounds;
  std::map<std::string, double> figures;  ///< "views", "share of peak": what the series is to be seen beside

  /// Unique among the series of a run: "inference/f32/batch=1/threads=2".
  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::vector<double> values() const;
};

/// Where the time of one view goes, step by step, in the quietest round with the most threads.
struct Layers {
  struct Layer {
    std::string name, operation, implementation;
    double best = 0, median = 0;  ///< seconds
    double multiply_adds = 0, bytes = 0;
  };
  std::string precision;
  int threads = 0;
  double peak_gflops = 0;  ///< of the same run; 0: unknown
  std::vector<Layer> layers;

  /// Of all medians.
  [[nodiscard]] double seconds() const;
};

struct SuiteResults {
  std::map<std::string, std::string> machine;  ///< "processor", "version", "compiler" ...
  std::vector<std::string> commands;           ///< each once, in the order of the first round
  std::vector<std::string> faults;             ///< what failed, sentences
  std::vector<Series> series;
  std::vector<Layers> layers;

  /// Null where there is none of that name.
  [[nodiscard]] const Series* find(const std::string& name) const;
};

std::string to_json(const SuiteResults& results);

/// Throws Error naming the file when it cannot be read or does not hold results.
SuiteResults read_results(const std::filesystem::path& path);

}  // namespace tpn::benchmarks
