// The best rate at which a backend convolves on this machine: what other rates are measured against.
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/precision_info.h"

namespace tpn::benchmarks {

/// The rate of one plain convolution, without anything fused to it.
struct ConvolutionRate {
  std::string label;
  std::string implementation;
  double best_gflops = 0;
  double median_gflops = 0;

  /// Whether the kernel makes fewer products than the rate counts.
  [[nodiscard]] bool saves_products() const { return implementation.starts_with("winograd"); }
};

/// The rates at one precision and number of threads.
struct Peak {
  Precision precision = Precision::f32;
  int threads = 0;
  std::vector<ConvolutionRate> convolutions;

  /// The best of those that make every product: others tell nothing of the arithmetic.
  [[nodiscard]] const ConvolutionRate& best() const;
};

/// Runs a few large convolutions, the full-size cases of the operation list and matrix products, each for
/// `seconds` and at least 5 times. Throws Error when one of them computes something wrong.
Peak measure_peak(const Backend& backend, Precision precision, int threads, double seconds);

/// The better of two measurements for each convolution, since timings on a shared machine drift.
Peak better_of(const Peak& a, const Peak& b);

}  // namespace tpn::benchmarks
