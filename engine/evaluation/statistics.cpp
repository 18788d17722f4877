#include "engine/evaluation/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tpn {
namespace {

constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution

}  // namespace

double Proportion::share() const {
  if (trials == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(hits) / static_cast<double>(trials);
}

Interval wilson_interval(const Proportion& proportion) {
  if (proportion.trials == 0) return {};
  const auto n = static_cast<double>(proportion.trials);
  const double p = proportion.share();
  const double centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  // The ends are exact where nothing or everything was hit; rounding must not move them.
  return {proportion.hits == 0 ? 0 : (centre - half) / scale,
          proportion.hits == proportion.trials ? 1 : (centre + half) / scale};
}

Interval mean_interval(std::span<const Proportion> proportions) {
  if (proportions.empty()) return {};
  const auto count = static_cast<double>(proportions.size());
  double mean = 0;
  double variance = 0;
  for (const Proportion& proportion : proportions) {
    if (proportion.trials == 0) continue;
    mean += proportion.share() / count;
    const double n = static_cast<double>(proportion.trials) + z * z;
    const double p = (static_cast<double>(proportion.hits) + z * z / 2) / n;
    variance += p * (1 - p) / n / (count * count);
  }
  const double half = z * std::sqrt(variance);
  return {std::max(0.0, mean - half), std::min(1.0, mean + half)};
}

double mcnemar_exact(std::int64_t first, std::int64_t second) {
  const auto n = static_cast<double>(first + second);
  // Twice the tail of the binomial distribution with probability 1/2.
  double tail = 0;
  for (std::int64_t k = 0; k <= std::min(first, second); ++k) {
    const auto i = static_cast<double>(k);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) - n * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

}  // namespace tpn
