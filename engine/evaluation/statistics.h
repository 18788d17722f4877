// How far shares can be trusted that were counted on a sample.
#pragma once

#include <cstdint>
#include <span>

namespace tpn {

/// Shares, 0 to 1.
struct Interval {
  double low = 0;
  double high = 1;
};

/// A part of a number of trials.
struct Proportion {
  std::int64_t hits = 0;
  std::int64_t trials = 0;

  /// NaN for no trials.
  [[nodiscard]] double share() const;
};

/// 95 % confidence interval of a proportion, Wilson's score interval: unlike the normal approximation it
/// stays within 0 and 1 and keeps its level near both ends and for few trials. Everything for no trials.
Interval wilson_interval(const Proportion& proportion);

/// 95 % confidence interval of the unweighted mean of independent proportions, such as the recalls of
/// classes. Normal approximation with the variances of the classes, var(mean) = sum p(1-p)/n / K^2, in which
/// each p is (hits + z^2/2) / (n + z^2) and n is n + z^2 (Agresti and Coull): a class with few videos, all of
/// them right, would otherwise count as certain. Chosen over a bootstrap, which has the same fault for such
/// classes, since it takes no seed. Proportions without trials count as 0 and certain. Everything where there
/// are none.
Interval mean_interval(std::span<const Proportion> proportions);

/// Two-sided exact p-value of McNemar's test: how likely two equally good judges differ by at least as much
/// as these, of whom one alone was right `first` times and the other alone `second` times. 1 for no
/// difference.
double mcnemar_exact(std::int64_t first, std::int64_t second);

}  // namespace tpn
