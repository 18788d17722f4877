#include "benchmarks/statistics.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace tpn::benchmarks {
namespace {

/// The median of a sorted series.
double middle(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) throw Error("A series of timings is empty.");
  std::sort(values.begin(), values.end());
  return middle(values);
}

Statistics summarize(std::vector<double> seconds) {
  if (seconds.empty()) throw Error("A series of timings is empty.");
  std::sort(seconds.begin(), seconds.end());
  Statistics result;
  result.count = seconds.size();
  result.best = seconds.front();
  result.median = middle(seconds);
  const auto covered = static_cast<std::size_t>(std::ceil(0.99 * static_cast<double>(seconds.size())));
  result.p99 = seconds[covered - 1];
  for (double& s : seconds) s = std::abs(s - result.median);
  std::sort(seconds.begin(), seconds.end());
  result.spread = middle(seconds);
  return result;
}

}  // namespace tpn::benchmarks
