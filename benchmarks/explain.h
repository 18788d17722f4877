// Layer by layer: what ran, what else could have, and how far each is from what the device can do.
#pragma once

#include <string>

#include "benchmarks/model_benchmark.h"

namespace tpn::benchmarks {

/// What one step is measured against.
struct StepBound {
  double seconds = 0;        ///< by the roofline: its bytes moved, the products that it has use of
  double share_of_peak = 0;  ///< of the device's products per second, what the operation has use of
  bool by_memory = false;    ///< whether bytes take longer than products
};

StepBound bound_of(const StepTime& step, const Roofline& roofline);

/// The sum of all steps' bounds. timing: with a roofline.
double fused_roofline_seconds(const ModelTiming& timing);

/// "(1, 8, 64, 64, 64) x (64, 64, 1, 3, 3) -> (1, 8, 64, 64, 64)"; "195 tensors" where so many are read.
std::string shape_text(const StepTime& step);

/// A table of the steps, and one of the candidates of each that was chosen by trials; empty without a
/// roofline and times.
std::string explain(const ModelTiming& timing);

/// A table of the steps of training, the backward pass and the update included: what each moves and
/// multiplies, the least time for that on an H200, and, where it was timed, its time beside the rate that
/// `peak_gflops` is the most of (0: unknown).
std::string explain_training(const ModelTiming& timing, double peak_gflops);

}  // namespace tpn::benchmarks
