// What a series of timings says.
#pragma once

#include <cstddef>
#include <vector>

namespace tpn::benchmarks {

/// Of a series of durations, all in seconds. On a machine that others use too, `best` is what the code can do
/// and `median` what it did.
struct Statistics {
  std::size_t count = 0;
  double best = 0;
  double median = 0;
  double p99 =
      0;  ///< the smallest duration that 99 % of the series do not exceed; the worst of fewer than 100
  double spread = 0;  ///< median absolute deviation from the median
};

/// The mean of the two middle values, or the one in the middle. Throws Error for an empty series.
double median(std::vector<double> values);

/// Throws Error for an empty series.
Statistics summarize(std::vector<double> seconds);

}  // namespace tpn::benchmarks
