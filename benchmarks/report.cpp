#include "benchmarks/report.h"

#include <map>
#include <numeric>
#include <optional>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "benchmarks/explain.h"
#include "benchmarks/table.h"

namespace tpn::benchmarks {
namespace {

using nlohmann::ordered_json;

std::string milliseconds(double seconds) {
  return fmt::format("{:.3f}", seconds * 1e3);
}

/// "-" where nothing was measured.
std::string percent_of_peak(double rate, double peak) {
  return peak > 0 ? fmt::format("{:.1f}", 100 * rate / peak) : "-";
}

std::string describe(const Machine& machine) {
  std::string text = fmt::format("tpn {}, {}{}\n{}, {} processors ({})\n", machine.version, machine.compiler,
                                 machine.optimized ? "" : ", NOT OPTIMIZED: the timings mean nothing",
                                 machine.processor, machine.processors, fmt::join(machine.vectors, " "));
  if (!machine.libraries.empty()) text += machine.libraries + "\n";
  return text;
}

std::string peak_table(const std::vector<Peak>& peaks) {
  Table table({"<precision", "threads", "<convolution", "best GFLOP/s", "median GFLOP/s", "<implementation"});
  for (const Peak& peak : peaks) {
    for (const ConvolutionRate& rate : peak.convolutions) {
      table.add_row({std::string(name_of(peak.precision)), std::to_string(peak.threads), rate.label,
                     fmt::format("{:.1f}", rate.best_gflops), fmt::format("{:.1f}", rate.median_gflops),
                     rate.implementation});
    }
  }
  return table.text();
}

std::string latency_table(const ModelReport& report) {
  Table table({"<precision", "threads", "views", "plan ms", "best ms", "median ms", "+- ms", "p99 ms", "runs",
               "views/s", "GFLOP/s", "% of peak", "host us", "device MiB", "peak MiB", "deviation"});
  for (const ModelTiming& t : report.timings) {
    const std::string deviation = t.verification ? fmt::format("{:.1e}{}", t.verification->deviation,
                                                               t.verification->passed() ? "" : " WRONG")
                                                 : "-";
    std::vector<std::string> row{std::string(name_of(t.precision)), std::to_string(t.threads),
                                 std::to_string(t.views), fmt::format("{:.0f}", t.plan_seconds * 1e3)};
    if (t.seconds.count == 0) {
      row.resize(15);
    } else {
      const double rate = gflops(t.multiply_adds, t.seconds.median);
      row.insert(
          row.end(),
          {milliseconds(t.seconds.best), milliseconds(t.seconds.median), milliseconds(t.seconds.spread),
           milliseconds(t.seconds.p99), std::to_string(t.seconds.count),
           fmt::format("{:.2f}", static_cast<double>(t.views) / t.seconds.median),
           fmt::format("{:.1f}", rate), percent_of_peak(rate, peak_gflops(t, report.peak_of(t))),
           t.host_seconds ? fmt::format("{:.1f}", t.host_seconds->median * 1e6) : "-",
           t.device_bytes ? fmt::format("{:.0f}", static_cast<double>(*t.device_bytes) / 0x1p20) : "-",
           t.peak_memory ? fmt::format("{:.0f}", static_cast<double>(*t.peak_memory) / 0x1p20) : "-"});
    }
    row.push_back(deviation);
    table.add_row(std::move(row));
  }
  return table.text();
}

double step_seconds(const ModelTiming& timing) {
  return std::accumulate(timing.steps.begin(), timing.steps.end(), 0.0,
                         [](double sum, const StepTime& step) { return sum + step.seconds.median; });
}

/// The time of one step or of several, and what was done in it.
struct Work {
  int steps = 0;
  double best = 0, median = 0;  ///< sums of the steps', seconds
  std::int64_t multiply_adds = 0, bytes = 0;

  void add(const StepTime& step) {
    ++steps;
    best += step.seconds.best;
    median += step.seconds.median;
    multiply_adds += step.multiply_adds;
    bytes += step.work.bytes;
  }
};

/// Milliseconds, best and median; share of the whole; of the median GFLOP/s, % of peak, MB, GB/s.
std::vector<std::string> work_titles() {
  return {"best ms", "ms", "share %", "GFLOP/s", "% of peak", "MB", "GB/s"};
}
std::vector<std::string> work_cells(const Work& work, double whole, double peak) {
  const double rate = gflops(work.multiply_adds, work.median), volume = static_cast<double>(work.bytes);
  const bool counted = work.multiply_adds > 0;
  return {milliseconds(work.best),
          milliseconds(work.median),
          fmt::format("{:.1f}", 100 * work.median / whole),
          counted ? fmt::format("{:.1f}", rate) : "-",
          counted ? percent_of_peak(rate, peak) : "-",
          fmt::format("{:.2f}", volume * 1e-6),
          fmt::format("{:.1f}", volume * 1e-9 / work.median)};
}

std::vector<std::string> concatenate(std::vector<std::string> first, const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// Sums over the steps for which key(step) is the same.
template <class Key>
auto sums_by(const ModelTiming& timing, const Key& key) {
  std::map<std::decay_t<decltype(key(timing.steps.front()))>, Work> sums;
  for (const StepTime& step : timing.steps) sums[key(step)].add(step);
  return sums;
}

std::string operation_table(const ModelTiming& timing, double peak) {
  const double whole = step_seconds(timing);
  Table table(concatenate({"<operation", "steps"}, work_titles()));
  std::optional<Phase> last;
  const auto phases = sums_by(timing, [](const StepTime& step) { return step.phase; });
  for (const auto& [key, work] :
       sums_by(timing, [](const StepTime& step) { return std::pair(step.phase, step.op); })) {
    const auto& [phase, op] = key;
    if (phases.size() > 1 && last != phase) {
      const Work& all = phases.at(phase);
      table.add_row(concatenate({fmt::format("[{}]", name_of(phase)), std::to_string(all.steps)},
                                work_cells(all, whole, peak)));
      last = phase;
    }
    table.add_row(concatenate({op, std::to_string(work.steps)}, work_cells(work, whole, peak)));
  }
  return table.text();
}

std::string step_table(const ModelTiming& timing, double peak) {
  Table table(concatenate(concatenate({"<step", "<operation"}, work_titles()), {"<implementation"}));
  for (const StepTime& step : timing.steps) {
    Work work;
    work.add(step);
    const auto cells = work_cells(work, step_seconds(timing), peak);
    table.add_row(concatenate(concatenate({step.name, step.op}, cells), {step.implementation}));
  }
  return table.text();
}

std::string mebibytes(std::size_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / 0x1p20);
}

std::string training_text(const ModelTiming& timing) {
  const TrainingFigures& training = timing.training.value();
  std::string text = fmt::format("\nTraining in {}, {} views\n", name_of(timing.precision), timing.views);
  for (std::size_t i = 0; i < training.first_steps.size(); ++i) {
    text += fmt::format("Step {}: loss {:.6f}, gradient norm {:.6f}\n", i + 1, training.first_steps[i].loss,
                        training.first_steps[i].gradient_norm);
  }
  if (!training.fault.empty()) text += "WRONG: " + training.fault + "\n";
  const TrainingMemory& m = training.memory;
  if (m.arena == 0) return text;  // no plan was made, since the outputs were wrong
  text += fmt::format(
      "Memory by the plan, MiB: {} in all. Parameters {}, frozen ones packed {}, statistics {}, momentum {}, "
      "a step's tensors and workspace {},\nof that gradients {} and the largest workspace {}. Most are "
      "needed at {}, {} MiB; the largest there:\n",
      mebibytes(m.total()), mebibytes(m.parameters), mebibytes(m.packed), mebibytes(m.buffers),
      mebibytes(m.momentum), mebibytes(m.arena), mebibytes(m.gradients), mebibytes(m.workspace), m.peak_step,
      mebibytes(m.peak));
  Table table({"MiB", "<tensor", "<made by", "<shape"});
  for (const ArenaTensor& tensor : m.largest) {
    table.add_row({mebibytes(tensor.bytes), tensor.name, tensor.what, to_string(tensor.shape)});
  }
  return text + table.text();
}

ordered_json json_of(const Statistics& s) {
  return {{"runs", s.count}, {"best", s.best}, {"median", s.median}, {"p99", s.p99}, {"spread", s.spread}};
}

ordered_json json_of(const Machine& m) {
  return {{"processor", m.processor}, {"processors", m.processors}, {"vectors", m.vectors},
          {"libraries", m.libraries}, {"compiler", m.compiler},     {"optimized", m.optimized},
          {"version", m.version}};
}

ordered_json json_of(const Peak& peak) {
  ordered_json convolutions = ordered_json::array();
  for (const ConvolutionRate& rate : peak.convolutions) {
    convolutions.push_back({{"label", rate.label},
                            {"implementation", rate.implementation},
                            {"best_gflops", rate.best_gflops},
                            {"median_gflops", rate.median_gflops}});
  }
  return {{"precision", name_of(peak.precision)},
          {"threads", peak.threads},
          {"best_gflops", peak.best().best_gflops},
          {"convolutions", std::move(convolutions)}};
}

ordered_json json_of(const StepTime& step) {
  return {{"name", step.name},
          {"op", step.op},
          {"phase", name_of(step.phase)},
          {"implementation", step.implementation},
          {"seconds", json_of(step.seconds)},
          {"multiply_adds", step.multiply_adds},
          {"bytes", step.work.bytes},
          {"issued_multiply_adds", step.work.multiply_adds},
          {"shapes", shape_text(step)}};
}

ordered_json json_of(const CandidateReport& candidate) {
  ordered_json json{{"implementation", candidate.implementation}, {"chosen", candidate.chosen}};
  if (candidate.seconds > 0) json["seconds"] = candidate.seconds;
  json["relative_error"] = candidate.relative_error;  // null for NaN
  if (!candidate.reason.empty()) json["reason"] = candidate.reason;
  return json;
}

ordered_json json_of(const LaunchReport& launch) {
  return {{"kernel", launch.kernel},
          {"blocks", launch.blocks},
          {"threads", launch.threads},
          {"shared_bytes", launch.shared_bytes},
          {"resident_blocks", launch.resident},
          {"occupancy", launch.occupancy},
          {"waves", launch.waves}};
}

ordered_json json_of(const StepTime& step, const Roofline& roofline) {
  const StepBound bound = bound_of(step, roofline);
  return {{"seconds", bound.seconds},
          {"share_of_peak", bound.share_of_peak},
          {"by", bound.by_memory ? "memory" : "products"}};
}

ordered_json json_of(const TrainingMemory& m) {
  ordered_json largest = ordered_json::array();
  for (const ArenaTensor& tensor : m.largest) {
    largest.push_back({{"name", tensor.name},
                       {"made_by", tensor.what},
                       {"shape", to_string(tensor.shape)},
                       {"bytes", tensor.bytes}});
  }
  return {{"total", m.total()},       {"parameters", m.parameters},   {"buffers", m.buffers},
          {"packed", m.packed},       {"momentum", m.momentum},       {"arena", m.arena},
          {"gradients", m.gradients}, {"workspace", m.workspace},     {"peak_step", m.peak_step},
          {"peak", m.peak},           {"largest", std::move(largest)}};
}

ordered_json json_of(const TrainingFigures& training, const std::vector<StepTime>& steps) {
  ordered_json first = ordered_json::array();
  for (const TrainedStep& step : training.first_steps) {
    first.push_back({{"loss", step.loss}, {"gradient_norm", step.gradient_norm}});
  }
  ordered_json json{{"labels", training.labels},
                    {"memory_bytes", json_of(training.memory)},
                    {"first_steps", std::move(first)}};
  if (!training.fault.empty()) json["fault"] = training.fault;
  for (const StepTime& step : steps) {
    if (step.seconds.count == 0) continue;
    ordered_json& sum = json["phase_seconds"][std::string(name_of(step.phase))];
    sum = (sum.is_null() ? 0.0 : sum.get<double>()) + step.seconds.median;
  }
  return json;
}

ordered_json json_of(const TrainingSetup& setup) {
  const TrainingOptions& options = setup.options;
  ordered_json json{{"frozen", options.form.frozen},
                    {"learning_rate", setup.step.learning_rate},
                    {"momentum", options.momentum},
                    {"weight_decay", options.weight_decay},
                    {"nesterov", options.nesterov},
                    {"max_norm", options.max_norm},
                    {"label_smoothing", options.label_smoothing}};
  if (options.form.dropout) json["dropout"] = *options.form.dropout;
  return json;
}

ordered_json json_of(const ModelTiming& t, const Peak* peak) {
  ordered_json json{{"precision", name_of(t.precision)},
                    {"threads", t.threads},
                    {"views", t.views},
                    {"plan_seconds", t.plan_seconds},
                    {"multiply_adds", t.multiply_adds},
                    {"arena_bytes", t.arena_bytes}};
  if (t.verification) {
    json["verification"] = {{"passed", t.verification->passed()},
                            {"deviation", t.verification->deviation},
                            {"tolerance", t.verification->tolerance}};
  }
  if (t.training) json["training"] = json_of(*t.training, t.steps);
  if (t.seconds.count == 0) return json;
  const double rate = gflops(t.multiply_adds, t.seconds.median);
  json["seconds"] = json_of(t.seconds);
  json["all_seconds"] = t.all_seconds;
  if (t.processor_seconds) json["processor_seconds"] = json_of(*t.processor_seconds);
  json["views_per_second"] = static_cast<double>(t.views) / t.seconds.median;
  json["gflops"] = rate;
  if (const double best = peak_gflops(t, peak); best > 0) json["share_of_peak"] = rate / best;
  if (t.device_bytes) json["device_bytes"] = *t.device_bytes;
  if (t.host_seconds) json["host_seconds"] = json_of(*t.host_seconds);
  if (t.roofline) {
    json["roofline"] = {{"bytes_per_second", t.roofline->bytes},
                        {"multiply_adds_per_second", t.roofline->multiply_adds},
                        {"seconds", fused_roofline_seconds(t)}};
  }
  if (t.peak_memory) json["peak_memory_bytes"] = *t.peak_memory;
  for (const StepTime& step : t.steps) {
    ordered_json entry = json_of(step);
    if (t.roofline) entry["roofline"] = json_of(step, *t.roofline);
    for (const CandidateReport& candidate : step.candidates)
      entry["candidates"].push_back(json_of(candidate));
    for (const LaunchReport& launch : step.launches) entry["launches"].push_back(json_of(launch));
    json["steps"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace

double peak_gflops(const ModelTiming& timing, const Peak* measured) {
  if (timing.roofline) return 2e-9 * timing.roofline->multiply_adds;
  return measured ? measured->best().best_gflops : 0;
}

std::string to_text(const ModelReport& report, bool operations) {
  std::string text = describe(report.machine);
  text += fmt::format("{} ({}), views of {}x{}x{}\n", report.model, report.config, report.size.frames,
                      report.size.height, report.size.width);
  if (!report.peaks.empty())
    text += "\nPlain convolutions; the peak is the best of them that makes every product\n" +
            peak_table(report.peaks);
  text += fmt::format("\nOne {}\n", report.training ? "step of training" : "run") + latency_table(report);
  for (const ModelTiming& timing : report.timings) {
    if (timing.training) text += training_text(timing);
  }
  if (!operations) return text;
  for (const ModelTiming& timing : report.timings) {
    if (timing.seconds.count == 0) continue;
    const double peak = peak_gflops(timing, report.peak_of(timing));
    text += fmt::format("\n{}, {} threads, {} views: median of each step, by operation\n",
                        name_of(timing.precision), timing.threads, timing.views) +
            operation_table(timing, peak) + "\n" + step_table(timing, peak);
  }
  return text;
}

std::string to_json(const ModelReport& report) {
  ordered_json json{{"machine", json_of(report.machine)},
                    {"model", report.model},
                    {"config", report.config},
                    {"view", {report.size.frames, report.size.height, report.size.width}}};
  if (report.training) json["training"] = json_of(*report.training);
  json["peaks"] = ordered_json::array();
  for (const Peak& peak : report.peaks) json["peaks"].push_back(json_of(peak));
  json["timings"] = ordered_json::array();
  for (const ModelTiming& t : report.timings) json["timings"].push_back(json_of(t, report.peak_of(t)));
  return json.dump(2) + "\n";
}

}  // namespace tpn::benchmarks
