// Processors that are shared with other work, most of all with another process like this one.
//
// OpenMP's threads wait for each other by spinning, which is best where each has a processor. Where others
// want the processors too, a thread that spins for milliseconds keeps off the one that it waits for, and two
// processes on two processors take not twice but ten times as long.
#pragma once

namespace tpn::cpu {

/// Called between kernels by the thread that runs them. While the system often takes its processor away,
/// OpenMP's threads spin only shortly before they sleep.
void notice_contention();

}  // namespace tpn::cpu
