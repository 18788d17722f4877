// The steps of a plan, and what each takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/statistics.h"
#include "engine/plan/plan.h"

namespace tpn::benchmarks {

/// The parts of a step of training; inference is forward as a whole.
enum class Phase : std::uint8_t { forward, backward, update };

/// "forward", "backward", "update".
std::string_view name_of(Phase phase);

/// Of each step of a plan. Backward begins with the gradient of the losses.
std::vector<Phase> phases_of(const Plan& plan);

/// One operation of a plan.
struct StepTime {
  std::string name;
  std::string op;
  std::string implementation;
  std::vector<Shape> inputs;  ///< activations and weights, without vectors
  std::vector<Shape> outputs;
  Statistics seconds = {};         ///< of no runs, where none were timed
  std::int64_t multiply_adds = 0;  ///< of the operation
  KernelWork work = {};  ///< of the kernel; bytes moved at least, see bytes_moved(), where it does not tell
  std::vector<CandidateReport> candidates = {};  ///< that it was chosen among
  std::vector<LaunchReport> launches = {};       ///< of the device's own kernels
  Phase phase = Phase::forward;
};

/// series: the seconds of each step, one vector per run; may be empty.
std::vector<StepTime> step_times(const Plan& plan, DType precision,
                                 const std::vector<std::vector<double>>& series);

}  // namespace tpn::benchmarks
