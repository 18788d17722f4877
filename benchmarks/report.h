// Reports of model timings: tables to read, JSON to keep.
#pragma once

#include <string>

#include "benchmarks/model_benchmark.h"

namespace tpn::benchmarks {

/// Aligned tables: the machine, the best convolution rates, latencies; with `operations` also where the time
/// of each timing goes, by operation and by step.
std::string to_text(const ModelReport& report, bool operations);

/// What rates are a share of, GFLOP/s: by the device's data or as measured; 0 when there is neither.
double peak_gflops(const ModelTiming& timing, const Peak* measured);

/// The whole report, indented. Durations are in seconds, memory in bytes.
std::string to_json(const ModelReport& report);

}  // namespace tpn::benchmarks
