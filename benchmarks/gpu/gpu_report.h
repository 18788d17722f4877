// What timing a model on a GPU gives.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "benchmarks/statistics.h"
#include "benchmarks/verification.h"
#include "kernels/cuda/device_info.h"
#include "kernels/precision_info.h"

namespace tpn::benchmarks {

/// One operation of a plan.
struct GpuStep {
  std::string name;
  std::string op;
  std::string implementation;
  double seconds = 0;              ///< median
  std::int64_t multiply_adds = 0;  ///< needed
  std::int64_t issued = 0;         ///< multiply-adds that the kernel issues, padding included; 0: not told
  std::int64_t bytes = 0;          ///< moved at least; 0: not told
};

/// One combination of precision and views per run.
struct GpuTiming {
  Precision precision = Precision::f32;
  std::int64_t views = 1;
  Verification verification;
  double plan_seconds = 0;         ///< from opening the file to the plan
  double first_seconds = 0;        ///< the first run
  Statistics device_seconds;       ///< of a run, between two events
  Statistics wall_seconds;         ///< of a run, on the host, until its end is seen
  std::int64_t multiply_adds = 0;  ///< of a run
  std::size_t device_bytes = 0;    ///< that the device had less of once it had run
  std::vector<GpuStep> steps;      ///< each on its own, in the order of execution
};

struct GpuReport {
  cuda::DeviceInfo device;
  std::string libraries;
  std::string config;
  std::vector<GpuTiming> timings;

  [[nodiscard]] bool correct() const;
};

/// The share of the device's peak at which a run of the timing, or a step of it, multiplies.
double share_of_peak(const cuda::DeviceInfo& device, Precision precision, std::int64_t multiply_adds,
                     double seconds);

std::string to_json(const GpuReport& report);
void print_heading(const GpuReport& report, std::ostream& out);
/// A timing of the report. steps: one line for each operation too.
void print(const GpuReport& report, const GpuTiming& timing, bool steps, std::ostream& out);

}  // namespace tpn::benchmarks
