// The page that shows what a run of the suite found.
#pragma once

#include <filesystem>
#include <optional>

#include "benchmarks/suite/comparison.h"
#include "benchmarks/suite/series.h"

namespace tpn::benchmarks {

/// How well a straight line fits, and which one.
struct StraightLine {
  double start = 0, slope = 0;
  double largest_deviation = 0;  ///< of a point, relative to the line there
};

/// Least squares. Throws Error for fewer than two different x.
StraightLine line_through(const std::vector<double>& x, const std::vector<double>& y);

/// One file that needs nothing else. Throws OutputError.
void write_results_page(const SuiteResults& results, const std::optional<SuiteComparison>& comparison,
                        const std::filesystem::path& path);

}  // namespace tpn::benchmarks
