// Runs programs for scripts/benchmark, writes down what they say, and makes results of it, a page and
// comparisons.
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "benchmarks/suite/comparison.h"
#include "benchmarks/suite/records.h"
#include "benchmarks/suite/results_page.h"
#include "benchmarks/suite/series.h"
#include "engine/model/output_file.h"
#include "engine/report/html_text.h"

namespace tpn::benchmarks {
namespace {

constexpr int failed = 1, became_slower = 3;

struct Arguments {
  std::filesystem::path records, results, page;
  std::string earlier;
  std::string kind = "process";
  std::vector<std::string> at;
  RecordedRun run;
  ComparisonOptions comparison;
};

/// NAME=NUMBER.
std::pair<std::string, double> parameter(const std::string& text) {
  const std::size_t equals = text.find('=');
  std::size_t end = 0;
  double value = 0;
  try {
    value = std::stod(text.substr(equals + 1), &end);
  } catch (const std::exception&) {
    end = 0;
  }
  if (equals == std::string::npos || end == 0 || equals + 1 + end != text.size()) {
    throw Error("'" + text + "' is not NAME=NUMBER.");
  }
  return {text.substr(0, equals), value};
}

int run(Arguments& a) {
  for (const std::string& text : a.at) a.run.at.insert(parameter(text));
  a.run.kind = output_kind_named(a.kind);
  const RunOutcome outcome = run_program(a.run.command);
  write_record(a.records, a.run, outcome);
  std::cerr << fixed(outcome.seconds, 3) << " s: " << a.run.benchmark
            << (a.run.variant.empty() ? "" : "/" + a.run.variant) << '\n';
  return outcome.status == 0 ? 0 : failed;
}

SuiteComparison compared(const SuiteResults& results, const Arguments& a) {
  SuiteComparison comparison = compare(read_results(a.earlier), results, a.comparison);
  std::cout << to_text(comparison);
  return comparison;
}

int collect(const Arguments& a) {
  const SuiteResults results = results_of(a.records);
  OutputFile file(a.results);
  file.write(to_json(results));
  file.commit();
  std::optional<SuiteComparison> comparison;
  if (!a.earlier.empty()) comparison = compared(results, a);
  if (!a.page.empty()) write_results_page(results, comparison, a.page);
  for (const std::string& fault : results.faults) std::cerr << fault << '\n';
  if (!results.faults.empty()) return failed;
  return comparison && comparison->slower() ? became_slower : 0;
}

int compare_files(const Arguments& a) {
  return compared(read_results(a.results), a).slower() ? became_slower : 0;
}

int run_report(int argc, char** argv) {
  CLI::App app("Writes down, collects and compares what programs of the benchmark suite measure.",
               "benchmark_report");
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0; 1 when a program failed or its outputs were wrong; 3 when something became slower.");
  Arguments a;

  auto* run_command = app.add_subcommand("run", "Run a program and write down its time, memory and output");
  run_command->add_option("--records", a.records, "Where to append, a file of JSON lines")->required();
  run_command->add_option("--benchmark", a.run.benchmark, "What is measured")->required();
  run_command->add_option("--variant", a.run.variant, "In which form");
  run_command->add_option("--at", a.at, "NAME=NUMBER: a parameter to see results against; may be repeated")
      ->allow_extra_args(false);
  run_command->add_option("--kind", a.kind, "What it prints: process, operations, model or loader");
  run_command->add_option("--round", a.run.round, "Of how many, from 1");
  run_command->add_flag("--yardstick", a.run.yardstick, "Never a reason for a change of the exit status");
  run_command->add_option("COMMAND", a.run.command, "The program and its arguments, behind --")->required();

  const auto add_comparison = [&a](CLI::App* command) {
    command->add_flag("--paired", a.comparison.paired, "Rounds of both ran in turns");
    command->add_option("--threshold", a.comparison.threshold, "Smaller changes are none, a share")
        ->capture_default_str();
  };
  auto* collect_command = app.add_subcommand("collect", "Make results and a page of records");
  collect_command->add_option("--records", a.records)->required();
  collect_command->add_option("--results", a.results, "JSON file to write")->required();
  collect_command->add_option("--page", a.page, "HTML file to write");
  collect_command->add_option("--compare", a.earlier, "Earlier results");
  add_comparison(collect_command);

  auto* compare_command = app.add_subcommand("compare", "Compare results with earlier ones");
  compare_command->add_option("EARLIER", a.earlier, "Results")->required();
  compare_command->add_option("RESULTS", a.results, "Results")->required();
  add_comparison(compare_command);

  CLI11_PARSE(app, argc, argv);
  if (run_command->parsed()) return run(a);
  return collect_command->parsed() ? collect(a) : compare_files(a);
}

}  // namespace
}  // namespace tpn::benchmarks

int main(int argc, char** argv) try {
  return tpn::benchmarks::run_report(argc, argv);
} catch (const std::exception& error) {
  std::cerr << "benchmark_report: " << error.what() << '\n';
  return tpn::benchmarks::failed;
}
