#include "benchmarks/suite/comparison.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "benchmarks/statistics.h"
#include "benchmarks/table.h"
#include "kernels/error.h"

namespace tpn::benchmarks {
namespace {

using Random = std::mt19937_64;

std::size_t draw(Random& random, std::size_t count) {
  return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

/// As many values as there are, each drawn from all of them.
std::vector<double> resampled(Random& random, const std::vector<double>& values) {
  std::vector<double> drawn(values.size());
  for (double& value : drawn) value = values[draw(random, values.size())];
  return drawn;
}

std::vector<double> joined(const Rounds& rounds) {
  std::vector<double> all;
  for (const std::vector<double>& round : rounds) all.insert(all.end(), round.begin(), round.end());
  return all;
}

Rounds resampled(Random& random, const Rounds& rounds) {
  Rounds drawn;
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    drawn.push_back(resampled(random, rounds[draw(random, rounds.size())]));
  }
  return drawn;
}

double paired_ratio(const Rounds& before, const Rounds& now) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < before.size(); ++i) ratios.push_back(median(now[i]) / median(before[i]));
  return median(std::move(ratios));
}

double pooled_ratio(const Rounds& before, const Rounds& now) {
  return median(joined(now)) / median(joined(before));
}

/// The same rounds of both.
double resampled_paired_ratio(Random& random, const Rounds& before, const Rounds& now) {
  Rounds drawn_before, drawn_now;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::size_t round = draw(random, before.size());
    drawn_before.push_back(resampled(random, before[round]));
    drawn_now.push_back(resampled(random, now[round]));
  }
  return paired_ratio(drawn_before, drawn_now);
}

void check(const Rounds& rounds) {
  if (rounds.empty() || std::ranges::any_of(rounds, [](const auto& round) { return round.empty(); })) {
    throw Error("A series of timings is empty.");
  }
}

bool can_be_judged(const Rounds& rounds) {
  constexpr std::size_t least_rounds = 3, least_timings = 5;
  return rounds.size() >= least_rounds && joined(rounds).size() >= least_timings;
}

Change change_of(const Rounds& before, const Rounds& now, const Ratio& ratio, double threshold) {
  if (!can_be_judged(before) || !can_be_judged(now)) return Change::unknown;
  const double best = std::ranges::min(joined(now)) / std::ranges::min(joined(before));
  if (ratio.low > 1 + threshold && best > 1 + threshold / 2) return Change::slower;
  if (ratio.high < 1 / (1 + threshold) && best < 1 / (1 + threshold / 2)) return Change::faster;
  return Change::none;
}

std::string with_unit(double value, Unit unit) {
  return unit == Unit::bytes ? fmt::format("{:.1f} MiB", value / 0x1p20)
                             : fmt::format("{:.3f} ms", value * 1e3);
}

}  // namespace

Ratio ratio_of(const Rounds& before, const Rounds& now, const ComparisonOptions& options) {
  check(before);
  check(now);
  Rounds first = before, second = now;
  if (options.paired) {
    const std::size_t pairs = std::min(first.size(), second.size());
    first.resize(pairs);
    second.resize(pairs);
  }
  Random random(1);  // NOLINT(cert-msc51-cpp): the same answer every time
  std::vector<double> ratios;
  for (int i = 0; i < options.resamples; ++i) {
    ratios.push_back(options.paired ? resampled_paired_ratio(random, first, second)
                                    : pooled_ratio(resampled(random, first), resampled(random, second)));
  }
  std::ranges::sort(ratios);
  const auto last = static_cast<double>(ratios.size() - 1);
  const double outside = (1 - options.confidence) / 2;
  return {options.paired ? paired_ratio(first, second) : pooled_ratio(first, second),
          ratios[static_cast<std::size_t>(std::floor(outside * last))],
          ratios[static_cast<std::size_t>(std::ceil((1 - outside) * last))]};
}

SeriesComparison compare(const Series& before, const Series& now, const ComparisonOptions& options) {
  SeriesComparison result{now.name(), now.unit, median(before.values()), median(now.values()), {}, {}};
  result.ratio = ratio_of(before.rounds, now.rounds, options);
  result.change = change_of(before.rounds, now.rounds, result.ratio, options.threshold);
  return result;
}

bool SuiteComparison::slower() const {
  return std::ranges::any_of(series, [](const auto& s) { return s.change == Change::slower; });
}

SuiteComparison compare(const SuiteResults& before, const SuiteResults& now,
                        const ComparisonOptions& options) {
  SuiteComparison result;
  for (const Series& s : now.series) {
    if (s.yardstick) continue;
    if (const Series* earlier = before.find(s.name())) {
      result.series.push_back(compare(*earlier, s, options));
    } else {
      result.only_now.push_back(s.name());
    }
  }
  for (const Series& s : before.series) {
    if (!s.yardstick && now.find(s.name()) == nullptr) result.only_before.push_back(s.name());
  }
  std::ranges::stable_sort(result.series, [](const auto& a, const auto& b) {
    const bool slower_a = a.change == Change::slower, slower_b = b.change == Change::slower;
    return slower_a != slower_b ? slower_a : a.ratio.ratio > b.ratio.ratio;
  });
  for (const char* key : {"processor", "processors", "libraries", "compiler"}) {
    const auto earlier = before.machine.find(key), current = now.machine.find(key);
    if (earlier == before.machine.end() || current == now.machine.end()) continue;
    if (earlier->second == current->second) continue;
    result.differences.push_back(
        fmt::format("The {} was '{}' and is '{}'.", key, earlier->second, current->second));
  }
  return result;
}

std::string name_of(Change change) {
  switch (change) {
    case Change::slower:
      return "SLOWER";
    case Change::faster:
      return "faster";
    case Change::unknown:
      return "too few timings";
    case Change::none:
      break;
  }
  return "";
}

std::string to_text(const SuiteComparison& comparison) {
  Table table({"<benchmark", "before", "now", "ratio", "from", "to", "<change"});
  std::size_t slower = 0, faster = 0;
  for (const SeriesComparison& s : comparison.series) {
    slower += s.change == Change::slower ? 1 : 0;
    faster += s.change == Change::faster ? 1 : 0;
    table.add_row({s.name, with_unit(s.before, s.unit), with_unit(s.now, s.unit),
                   fmt::format("{:.3f}", s.ratio.ratio), fmt::format("{:.3f}", s.ratio.low),
                   fmt::format("{:.3f}", s.ratio.high), name_of(s.change)});
  }
  std::string text = table.text();
  for (const std::string& name : comparison.only_before) text += "only before: " + name + "\n";
  for (const std::string& name : comparison.only_now) text += "only now: " + name + "\n";
  for (const std::string& difference : comparison.differences) text += difference + "\n";
  return text + fmt::format("{} of {} became slower and {} faster, beyond doubt and the threshold.\n", slower,
                            comparison.series.size(), faster);
}

}  // namespace tpn::benchmarks
