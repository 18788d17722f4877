#include "benchmarks/explain.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "benchmarks/table.h"

namespace tpn::benchmarks {
namespace {

std::string microseconds(double seconds) {
  return fmt::format("{:.1f}", seconds * 1e6);
}

std::string steps_table(const ModelTiming& timing) {
  Table table({"<step", "<operation", "us", "share %", "% of peak", "roofline us", "x roofline", "<limit",
               "MB", "MMAC", "issued", "<shapes", "<implementation"});
  double whole = 0, bytes = 0, products = 0, issued = 0;
  for (const StepTime& step : timing.steps) whole += step.seconds.median;
  for (const StepTime& step : timing.steps) {
    const StepBound bound = bound_of(step, *timing.roofline);
    const double moved = static_cast<double>(step.work.bytes);
    table.add_row({step.name, step.op, microseconds(step.seconds.median),
                   fmt::format("{:.1f}", 100 * step.seconds.median / whole),
                   fmt::format("{:.1f}", 100 * bound.share_of_peak), microseconds(bound.seconds),
                   fmt::format("{:.2f}", step.seconds.median / bound.seconds),
                   bound.by_memory ? "memory" : "products", fmt::format("{:.2f}", moved * 1e-6),
                   fmt::format("{:.1f}", static_cast<double>(step.multiply_adds) * 1e-6),
                   fmt::format("{:.1f}", static_cast<double>(step.work.multiply_adds) * 1e-6),
                   shape_text(step), step.implementation});
    bytes += moved;
    products += static_cast<double>(step.multiply_adds);
    issued += static_cast<double>(step.work.multiply_adds);
  }
  const double bound = fused_roofline_seconds(timing);
  table.add_row({"all", "", microseconds(whole), "100.0",
                 fmt::format("{:.1f}", 100 * products / whole / timing.roofline->multiply_adds),
                 microseconds(bound), fmt::format("{:.2f}", whole / bound), "",
                 fmt::format("{:.2f}", bytes * 1e-6), fmt::format("{:.1f}", products * 1e-6),
                 fmt::format("{:.1f}", issued * 1e-6)});
  return table.text();
}

std::string candidates_table(const ModelTiming& timing) {
  Table table({"<step", "<", "us", "error", "<candidate", "<reason"});
  bool any = false;
  for (const StepTime& step : timing.steps) {
    std::string name = step.name;  // in the first line only
    for (const CandidateReport& candidate : step.candidates) {
      table.add_row({std::exchange(name, {}), candidate.chosen ? "*" : "",
                     candidate.seconds > 0 ? microseconds(candidate.seconds) : "-",
                     fmt::format("{:.1e}", candidate.relative_error), candidate.implementation,
                     candidate.reason});
      any = true;
    }
  }
  return any ? "\nCandidates of each step, * the chosen one\n" + table.text() : "";
}

std::string launches_table(const ModelTiming& timing) {
  Table table({"<step", "<kernel", "blocks", "threads", "shared KiB", "blocks/SM", "occupancy %", "waves"});
  bool any = false;
  for (const StepTime& step : timing.steps) {
    for (const LaunchReport& launch : step.launches) {
      table.add_row({step.name, launch.kernel, std::to_string(launch.blocks), std::to_string(launch.threads),
                     fmt::format("{:.0f}", static_cast<double>(launch.shared_bytes) / 0x1p10),
                     std::to_string(launch.resident), fmt::format("{:.0f}", 100 * launch.occupancy),
                     fmt::format("{:.2f}", launch.waves)});
      any = true;
    }
  }
  return any ? "\nKernels that each step starts\n" + table.text() : "";
}

}  // namespace

StepBound bound_of(const StepTime& step, const Roofline& roofline) {
  const double bytes = static_cast<double>(step.work.bytes) / roofline.bytes;
  const double useful = static_cast<double>(step.multiply_adds) / roofline.multiply_adds;
  return {std::max(bytes, useful), useful / step.seconds.median, bytes > useful};
}

double fused_roofline_seconds(const ModelTiming& timing) {
  double sum = 0;
  for (const StepTime& step : timing.steps) sum += bound_of(step, *timing.roofline).seconds;
  return sum;
}

std::string shape_text(const StepTime& step) {
  constexpr std::size_t most = 8;  // the update has hundreds
  if (step.inputs.size() > most) return std::to_string(step.inputs.size()) + " tensors";
  std::string text;
  for (const Shape& shape : step.inputs) text += (text.empty() ? "" : " x ") + to_string(shape);
  text += " ->";
  for (const Shape& shape : step.outputs) text += " " + to_string(shape);
  return text;
}

std::string explain(const ModelTiming& timing) {
  if (timing.seconds.count == 0 || !timing.roofline) return {};
  std::string text = fmt::format("\n{}, {} views: {:.1f} GB/s and {:.1f} TFLOP/s are the device's peaks\n",
                                 name_of(timing.precision), timing.views, timing.roofline->bytes * 1e-9,
                                 2e-12 * timing.roofline->multiply_adds);
  text += steps_table(timing) + launches_table(timing) + candidates_table(timing);
  if (timing.host_seconds) {
    text += fmt::format("\nThe host takes {} us to start the plan ({} at best).\n",
                        microseconds(timing.host_seconds->median), microseconds(timing.host_seconds->best));
  }
  if (timing.device_bytes) {
    const double arena = static_cast<double>(timing.arena_bytes) / 0x1p20;
    const double all = static_cast<double>(*timing.device_bytes) / 0x1p20;
    text += fmt::format(
        "Of the device's memory it takes {:.0f} MiB: {:.0f} MiB of tensors and workspace, and "
        "{:.0f} MiB of weights.\n",
        all, arena, all - arena);
  }
  return text;
}

std::string explain_training(const ModelTiming& timing, double peak_gflops) {
  const Roofline h200 = h200_roofline(timing.precision);
  Table table({"<step", "<phase", "<operation", "MB", "MMAC", "H200 us", "<limit", "ms", "% of peak",
               "<shapes", "<implementation"});
  double bytes = 0, products = 0, bound = 0, seconds = 0;
  const auto measured = [&](const Statistics& time, double multiply_adds) {
    const double rate = 2e-9 * multiply_adds / time.median;
    return std::pair(time.count > 0 ? fmt::format("{:.3f}", time.median * 1e3) : "-",
                     time.count > 0 && multiply_adds > 0 && peak_gflops > 0
                         ? fmt::format("{:.1f}", 100 * rate / peak_gflops)
                         : "-");
  };
  for (const StepTime& step : timing.steps) {
    const double moved = static_cast<double>(step.work.bytes),
                 multiplied = static_cast<double>(step.multiply_adds);
    const double least = h200.seconds(moved, multiplied);
    const auto [time, share] = measured(step.seconds, multiplied);
    table.add_row({step.name, std::string(name_of(step.phase)), step.op, fmt::format("{:.2f}", moved * 1e-6),
                   fmt::format("{:.1f}", multiplied * 1e-6), microseconds(least),
                   moved / h200.bytes > multiplied / h200.multiply_adds ? "memory" : "products", time, share,
                   shape_text(step), step.implementation});
    bytes += moved;
    products += multiplied;
    bound += least;
    seconds += step.seconds.median;
  }
  const auto [time, share] = measured({.count = timing.seconds.count, .median = seconds}, products);
  table.add_row({"all", "", "", fmt::format("{:.2f}", bytes * 1e-6), fmt::format("{:.1f}", products * 1e-6),
                 microseconds(bound), "", time, share});
  return fmt::format(
             "\nTraining in {}, {} views; an H200 moves {:.1f} TB/s and computes {:.0f} TFLOP/s at most\n",
             name_of(timing.precision), timing.views, h200.bytes * 1e-12, 2e-12 * h200.multiply_adds) +
         table.text();
}

}  // namespace tpn::benchmarks
