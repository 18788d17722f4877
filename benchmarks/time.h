// Timing, by the wall clock and by the processors' clocks.
#pragma once

#include <cstddef>
#include <ctime>
#include <vector>

#include "kernels/stopwatch.h"

namespace tpn::benchmarks {

/// Wall-clock seconds that a call takes.
template <class Call>
double time_of(const Call& call) {
  const Stopwatch stopwatch;
  call();
  return stopwatch.seconds();
}

/// Processor seconds that the process has used so far, all threads together.
inline double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// How often to repeat: until both are reached.
struct Repetitions {
  int runs = 1;
  double seconds = 0;  ///< of timed work
};

/// The seconds of each call; before each, `prepare` runs untimed.
template <class Call, class Prepare>
std::vector<double> repeat(const Repetitions& wanted, const Call& call, const Prepare& prepare) {
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < static_cast<std::size_t>(wanted.runs) || total < wanted.seconds) {
    prepare();
    seconds.push_back(time_of(call));
    total += seconds.back();
  }
  return seconds;
}

template <class Call>
std::vector<double> repeat(const Repetitions& wanted, const Call& call) {
  return repeat(wanted, call, [] {});
}

}  // namespace tpn::benchmarks
