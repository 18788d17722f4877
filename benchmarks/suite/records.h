// Programs of the suite, run and written down one by one: each run is a line of a file of JSON objects, so
// that an interrupted suite leaves what it has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/suite/series.h"

namespace tpn::benchmarks {

/// What a program prints to standard output.
enum class OutputKind : std::uint8_t {
  process,     ///< nothing of interest: the process itself is what is measured
  operations,  ///< op_benchmark --benchmark_format=json
  model,       ///< tpn_bench --json -
  loader       ///< loader_benchmark
};

/// Throws Error for other words than those above.
OutputKind output_kind_named(std::string_view name);

/// A program, and the place of what it measures among the series.
struct RecordedRun {
  std::string benchmark, variant;
  std::map<std::string, double> at;
  OutputKind kind = OutputKind::process;
  bool yardstick = false;
  int round = 1;
  std::vector<std::string> command;
};

struct RunOutcome {
  int status = 0;  ///< exit status; 128 and the signal's number where one ended it
  double seconds = 0, processor_seconds = 0;
  std::size_t peak_memory = 0;  ///< bytes; most that was resident
  std::string output;
};

/// Throws Error when the program cannot be started.
RunOutcome run_program(const std::vector<std::string>& command);

/// Appends a line. Throws Error also when the output is not what `run.kind` says; a program that failed is
/// written down with its status.
void write_record(const std::filesystem::path& records, const RecordedRun& run, const RunOutcome& outcome);

/// All series in a file of records, rounds in ascending order. Throws Error naming the file when it cannot be
/// read or holds something else.
SuiteResults results_of(const std::filesystem::path& records);

}  // namespace tpn::benchmarks
