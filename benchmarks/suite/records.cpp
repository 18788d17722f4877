#include "benchmarks/suite/records.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmarks/statistics.h"
#include "engine/report/json_lines.h"
#include "kernels/error.h"
#include "kernels/stopwatch.h"

namespace tpn::benchmarks {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::pair<std::string_view, OutputKind>, 4> kinds{
    {{"process", OutputKind::process},
     {"operations", OutputKind::operations},
     {"model", OutputKind::model},
     {"loader", OutputKind::loader}}};

std::string_view name_of(OutputKind kind) {
  return std::ranges::find(kinds, kind, &std::pair<std::string_view, OutputKind>::second)->first;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

/// A file without a name that takes what a program prints.
using TemporaryFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string text;
  std::array<char, 65536> piece{};
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), file)) {
    text.append(piece.data(), count);
  }
  return text;
}

// ---------------------------------------------------------------- from records to results

/// Collects series under their names; a value joins the round that its record tells.
class Collector {
 public:
  void add(const ordered_json& record) {
    round_ = record.at("round").get<int>();
    place_ = {};
    place_.benchmark = record.at("benchmark").get<std::string>();
    place_.variant = record.at("variant").get<std::string>();
    place_.at = record.at("at").get<std::map<std::string, double>>();
    place_.yardstick = record.at("yardstick").get<bool>();
    std::string command;
    for (const ordered_json& word : record.at("command")) {
      command += (command.empty() ? "" : " ") + word.get<std::string>();
    }
    if (std::ranges::find(results_.commands, command) == results_.commands.end()) {
      results_.commands.push_back(command);
    }
    results_.machine.try_emplace("measured", record.at("began").get<std::string>());
    if (const int status = record.at("status").get<int>(); status != 0) {
      fault("ended with exit status " + std::to_string(status) + ": " + command);
    }
    switch (output_kind_named(record.at("kind").get<std::string>())) {
      case OutputKind::process:
        if (record.at("status") == 0) add_process(record);
        break;
      case OutputKind::operations:
        add_operations(record.at("output"));
        break;
      case OutputKind::model:
        add_model(record.at("output"));
        break;
      case OutputKind::loader:
        add_loader(record.at("output"));
        break;
    }
  }

  SuiteResults finish() {
    for (auto& [name, rounds] : rounds_) {
      Series& series = *std::ranges::find(results_.series, name, &Series::name);
      for (auto& [round, values] : rounds) series.rounds.push_back(std::move(values));
      for (auto& [figure, values] : figures_[name]) series.figures[figure] = median(std::move(values));
    }
    return std::move(results_);
  }

 private:
  void fault(const std::string& what) { results_.faults.push_back(place_.name() + " " + what); }

  void add(const Series& series, const std::vector<double>& values,
           const std::map<std::string, double>& figures = {}) {
    const std::string name = series.name();
    const auto [rounds, is_new] = rounds_.try_emplace(name);
    if (is_new) results_.series.push_back(series);
    std::vector<double>& round = rounds->second[round_];
    round.insert(round.end(), values.begin(), values.end());
    for (const auto& [figure, value] : figures) figures_[name][figure].push_back(value);
  }

  /// The memory that goes with the timings of a series.
  void add_memory(Series series, double bytes) {
    series.benchmark = "memory of " + series.benchmark;
    series.unit = Unit::bytes;
    add(series, {bytes});
  }

  void add_process(const ordered_json& record) {
    add(place_, {record.at("seconds").get<double>()},
        {{"processor seconds", record.at("processor_seconds").get<double>()}});
    if (!place_.yardstick) add_memory(place_, record.at("peak_memory_bytes").get<double>());
  }

  void add_operations(const ordered_json& output) {
    if (output.is_null()) return;
    const ordered_json& context = output.at("context");
    for (const char* key : {"processor", "libraries", "compiler"}) add_fact(key, context);
    for (const ordered_json& run : output.at("benchmarks")) {
      if (run.at("run_type") != "iteration") continue;
      Series series = place_;
      series.variant = run.at("run_name").get<std::string>();
      if (const std::size_t end = series.variant.find("/real_time"); end != std::string::npos) {
        series.variant.erase(end);
      }
      if (run.value("error_occurred", false)) {
        results_.faults.push_back(series.name() + ": " + run.value("error_message", ""));
        continue;
      }
      if (run.at("time_unit") != "us") throw Error("op_benchmark tells times in another unit.");
      std::map<std::string, double> figures;
      if (run.contains("% of peak")) figures["share of peak"] = run["% of peak"].get<double>() / 100;
      if (run.contains("bytes_per_second")) figures["bytes a second"] = run["bytes_per_second"].get<double>();
      add(series, {1e-6 * run.at("real_time").get<double>()}, figures);
    }
  }

  void add_fact(const std::string& key, const ordered_json& facts) {
    const auto found = facts.find(key);
    if (found == facts.end()) return;
    std::string text;
    if (found->is_array()) {
      for (const ordered_json& word : *found) text += (text.empty() ? "" : " ") + word.get<std::string>();
    } else {
      text = found->is_string() ? found->get<std::string>() : found->dump();
    }
    results_.machine.try_emplace(key, text);
  }

  void add_model(const ordered_json& output) {
    if (output.is_null()) return;
    for (const char* key : {"processor", "processors", "vectors", "libraries", "compiler", "version"}) {
      add_fact(key, output.at("machine"));
    }
    if (!output.at("machine").value("optimized", true)) fault("was built without optimisation.");
    for (const ordered_json& timing : output.at("timings")) {
      Series series = place_;
      series.variant = timing.at("precision").get<std::string>();
      series.at = {{"batch", timing.at("views").get<double>()},
                   {"threads", timing.at("threads").get<double>()}};
      if (timing.contains("verification") && !timing["verification"].at("passed").get<bool>()) {
        results_.faults.push_back(series.name() + " computes wrong outputs.");
      }
      if (!timing.contains("seconds")) continue;
      std::map<std::string, double> figures{{"views", timing.at("views").get<double>()},
                                            {"GFLOP/s", timing.at("gflops").get<double>()}};
      if (timing.contains("share_of_peak")) figures["share of peak"] = timing["share_of_peak"].get<double>();
      // A build of before this member tells the median at least.
      const ordered_json all = timing.value("all_seconds", ordered_json{timing["seconds"].at("median")});
      add(series, all.get<std::vector<double>>(), figures);
      if (timing.contains("peak_memory_bytes")) add_memory(series, timing["peak_memory_bytes"].get<double>());
      Series planning = series;
      planning.benchmark = "plan building for " + series.benchmark;
      add(planning, {timing.at("plan_seconds").get<double>()});
      if (!output.contains("training") && timing.at("views") == 1) add_layers(output, timing);
    }
  }

  void add_layers(const ordered_json& output, const ordered_json& timing) {
    Layers layers{timing.at("precision").get<std::string>(), timing.at("threads").get<int>(), 0, {}};
    for (const ordered_json& peak : output.at("peaks")) {
      if (peak.at("precision") == timing.at("precision") && peak.at("threads") == timing.at("threads")) {
        layers.peak_gflops = peak.at("best_gflops").get<double>();
      }
    }
    for (const ordered_json& step : timing.at("steps")) {
      const ordered_json& seconds = step.at("seconds");
      layers.layers.push_back({step.at("name").get<std::string>(), step.at("op").get<std::string>(),
                               step.at("implementation").get<std::string>(), seconds.at("best").get<double>(),
                               seconds.at("median").get<double>(), step.at("multiply_adds").get<double>(),
                               step.at("bytes").get<double>()});
    }
    const auto same = std::ranges::find(results_.layers, layers.precision, &Layers::precision);
    if (same == results_.layers.end()) {
      results_.layers.push_back(std::move(layers));
    } else if (same->threads < layers.threads) {
      *same = std::move(layers);
    } else if (same->threads == layers.threads) {
      layers.peak_gflops = same->peak_gflops = std::max(layers.peak_gflops, same->peak_gflops);
      if (layers.seconds() < same->seconds()) *same = std::move(layers);
    }
  }

  void add_loader(const ordered_json& output) {
    if (output.is_null()) return;
    add(place_, {1 / output.at("clips_per_second").get<double>()},
        {{"processor seconds", output.at("processor_seconds_per_clip").get<double>()}});
  }

  SuiteResults results_;
  std::map<std::string, std::map<int, std::vector<double>>> rounds_;
  std::map<std::string, std::map<std::string, std::vector<double>>> figures_;
  int round_ = 1;
  Series place_;
};

}  // namespace

OutputKind output_kind_named(std::string_view name) {
  const auto found = std::ranges::find(kinds, name, &std::pair<std::string_view, OutputKind>::first);
  if (found == kinds.end()) throw Error("There is no kind of output '" + std::string(name) + "'.");
  return found->second;
}

RunOutcome run_program(const std::vector<std::string>& command) {
  const TemporaryFile file(std::tmpfile(), &std::fclose);
  if (!file) throw Error("A temporary file cannot be made.");
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ::fileno(file.get()), STDOUT_FILENO);
  pid_t child = 0;
  const Stopwatch watch;
  const int failure = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw Error("'" + command[0] + "' cannot be run: " + std::strerror(failure) + ".");
  int status = 0;
  rusage usage{};
  while (::wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) throw Error("'" + command[0] + "' cannot be waited for.");
  }
  RunOutcome outcome;
  outcome.seconds = watch.seconds();
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.processor_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  outcome.peak_memory = static_cast<std::size_t>(usage.ru_maxrss) * 1024;
  outcome.output = contents(file.get());
  return outcome;
}

void write_record(const std::filesystem::path& records, const RecordedRun& run, const RunOutcome& outcome) {
  JsonObject object;
  object.add("benchmark", run.benchmark)
      .add("variant", run.variant)
      .add_json("at", ordered_json(run.at).dump())
      .add("kind", name_of(run.kind))
      .add("yardstick", run.yardstick)
      .add("round", run.round)
      .add_json("command", json_array(run.command, [](const std::string& word) { return json_string(word); }))
      .add("began", utc_now())
      .add("status", outcome.status)
      .add("seconds", outcome.seconds)
      .add("processor_seconds", outcome.processor_seconds)
      .add("peak_memory_bytes", outcome.peak_memory);
  if (run.kind != OutputKind::process) {
    // A program that failed may have printed nothing, or half of it.
    const ordered_json output = ordered_json::parse(outcome.output, nullptr, false);
    if (output.is_discarded() && outcome.status == 0) {
      throw Error("'" + run.command[0] + "' did not print JSON.");
    }
    object.add_json("output", output.is_discarded() ? "null" : output.dump());
  }
  JsonLines(records).write(object);
}

SuiteResults results_of(const std::filesystem::path& records) {
  std::ifstream file(records);
  if (!file) throw Error("'" + records.string() + "' cannot be read.");
  Collector collector;
  int number = 0;
  try {
    for (std::string line; std::getline(file, line);) {
      ++number;
      collector.add(ordered_json::parse(line));
    }
  } catch (const std::exception& error) {
    throw Error("Line " + std::to_string(number) + " of '" + records.string() +
                "' is not a record of the benchmark suite: " + error.what());
  }
  return collector.finish();
}

}  // namespace tpn::benchmarks
