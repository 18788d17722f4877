// Whether something became slower, told from timings of a machine that others use too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "benchmarks/suite/series.h"

namespace tpn::benchmarks {

struct ComparisonOptions {
  /// Rounds of the same number ran in turns, a few moments apart: their ratios are taken before anything
  /// else, so that what befell both does not count.
  bool paired = false;
  double threshold = 0.05;  ///< smaller changes are none
  double confidence = 0.95;
  int resamples = 2000;
};

/// How often as large the second of two quantities is.
struct Ratio {
  double ratio = 1;
  double low = 0, high = 0;  ///< the confidence interval
};

/// The ratio of medians; where rounds are paired, the median of the rounds' ratios of medians. The interval
/// is a bootstrap in two stages, since timings of one process resemble one another: rounds are drawn with
/// replacement, then timings of each. Always the same for the same input. Throws Error when a round is empty
/// or there is none.
Ratio ratio_of(const Rounds& before, const Rounds& now, const ComparisonOptions& options);

enum class Change : std::uint8_t { none, slower, faster, unknown };

struct SeriesComparison {
  std::string name;
  Unit unit = Unit::seconds;
  double before = 0, now = 0;  ///< medians
  Ratio ratio;
  Change change = Change::none;
};

/// A change is one where the whole interval lies beyond the threshold and the best timings differ by half of
/// it or more: work of others makes timings longer, and the best ones least. With fewer than 3 rounds or 5
/// timings it stays unknown.
SeriesComparison compare(const Series& before, const Series& now, const ComparisonOptions& options);

struct SuiteComparison {
  std::vector<SeriesComparison> series;  ///< what is in both, the most slowed first; without yardsticks
  std::vector<std::string> only_before, only_now;  ///< names
  std::vector<std::string> differences;            ///< of the machines and builds, sentences

  [[nodiscard]] bool slower() const;
};

SuiteComparison compare(const SuiteResults& before, const SuiteResults& now,
                        const ComparisonOptions& options);

/// Empty for none.
std::string name_of(Change change);

/// A table to read and a sentence.
std::string to_text(const SuiteComparison& comparison);

}  // namespace tpn::benchmarks
